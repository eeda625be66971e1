"""The services over one pool."""

from __future__ import annotations

from datetime import timedelta

from ordinaut_mcp.app.outside import allowance_of
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.schedule import ScheduleLimits
from ordinaut_mcp.services.agenda import AgendaService
from ordinaut_mcp.services.backfills import BackfillService
from ordinaut_mcp.services.catalog import CatalogService
from ordinaut_mcp.services.controls import ControlService
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.services.events import EventService
from ordinaut_mcp.services.inbox import InboxService
from ordinaut_mcp.services.pipelines import PipelineService
from ordinaut_mcp.services.redrives import RedriveService
from ordinaut_mcp.services.runs import RunService
from ordinaut_mcp.services.status import StatusService
from ordinaut_mcp.services.tasks import TaskService
from ordinaut_mcp.store.bell import PostgresBell
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.catalog import PostgresCatalog
from ordinaut_mcp.store.events import PostgresEvents
from ordinaut_mcp.store.messages import PostgresMessages
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.redrive import PostgresRedrives
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.settings import PostgresSettings
from ordinaut_mcp.store.snoozes import PostgresSnoozes
from ordinaut_mcp.store.tasks import PostgresTasks


def services_over(pool: Pool, settings: Settings) -> Services:
    """Everything that callers may ask for, over this database."""
    tasks, runs, bell = PostgresTasks(pool), PostgresRuns(pool), PostgresBell(pool)
    catalog = CatalogService(PostgresCatalog(pool))
    shortest = timedelta(seconds=settings.min_interval_seconds)
    return Services(
        tasks=TaskService(
            tasks,
            runs,
            PostgresSnoozes(pool),
            PipelineService(catalog, allowance_of(settings)),
            bell,
            limits=ScheduleLimits(min_interval=shortest),
            default_timezone=settings.zone_name,
        ),
        runs=RunService(tasks, runs, PostgresCancels(pool), bell),
        redrives=RedriveService(runs, PostgresRedrives(pool), bell),
        catalog=catalog,
        agenda=AgendaService(tasks, runs),
        backfills=BackfillService(tasks, runs, bell),
        inbox=InboxService(PostgresMessages(pool)),
        events=EventService(PostgresEvents(pool)),
        status=StatusService(
            tasks,
            PostgresProcesses(pool),
            PostgresCatalog(pool),
            PostgresSettings(pool),
            default_timezone=settings.zone_name,
        ),
        controls=ControlService(PostgresSettings(pool), bell),
    )
