"""Where a session finds its services, and who it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ordinaut_mcp.services.agenda import AgendaService
from ordinaut_mcp.services.backfills import BackfillService
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.catalog import CatalogService
from ordinaut_mcp.services.controls import ControlService
from ordinaut_mcp.services.events import EventService
from ordinaut_mcp.services.inbox import InboxService
from ordinaut_mcp.services.redrives import RedriveService
from ordinaut_mcp.services.runs import RunService
from ordinaut_mcp.services.status import StatusService
from ordinaut_mcp.services.tasks import TaskService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that callers may ask for."""

    tasks: TaskService
    runs: RunService
    redrives: RedriveService
    catalog: CatalogService
    status: StatusService
    controls: ControlService
    agenda: AgendaService
    backfills: BackfillService
    inbox: InboxService
    events: EventService


class Desk(Protocol):
    """One session's way to the services."""

    @property
    def caller(self) -> Caller:
        """Who asks in this session."""
        ...

    @property
    def default_timezone(self) -> str:
        """The zone of tasks that name none."""
        ...

    async def services(self) -> Services:
        """The services, once the runtime is up; waits at most 30 s for that.

        Raises:
            Unavailable: it did not come up; nothing was stored.
        """
        ...
