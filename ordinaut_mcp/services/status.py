"""How Ordinaut itself is doing, in the caller's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ordinaut_mcp.domain.tool import ServerStatus
from ordinaut_mcp.ports import (
    CatalogStore,
    Depth,
    Pause,
    ProcessInfo,
    ProcessStore,
    SettingStore,
    TaskStore,
)
from ordinaut_mcp.services.caller import Caller

ALIVE_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One look at the whole."""

    agent: str
    now: datetime
    timezone: str
    paused: Pause | None
    processes: Sequence[ProcessInfo]
    depth: Depth
    servers: Sequence[ServerStatus]

    @property
    def healthy(self) -> bool:
        """Whether somebody schedules and somebody works."""
        roles = {role for process in self.processes for role in process.roles}
        return {"scheduler", "worker"} <= roles


class StatusService:
    """Looks at the runtime, the queue and the tool servers."""

    def __init__(
        self,
        tasks: TaskStore,
        processes: ProcessStore,
        catalog: CatalogStore,
        settings: SettingStore,
        *,
        default_timezone: str,
    ) -> None:
        self._tasks = tasks
        self._processes = processes
        self._catalog = catalog
        self._settings = settings
        self._default_timezone = default_timezone

    async def get(self, caller: Caller) -> Status:
        """How things are now."""
        servers, _ = await self._catalog.load()
        return Status(
            agent=caller.agent,
            now=await self._tasks.now(),
            timezone=self._default_timezone,
            paused=await self._settings.paused(),
            processes=await self._processes.alive(within=ALIVE_WITHIN),
            depth=await self._processes.depth(),
            servers=servers,
        )
