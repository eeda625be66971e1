"""A small world for schedules: real PostgreSQL, our own clock, and history as short sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import anyio

from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.decision import SnoozeWrite
from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.run import ClaimedRun, ProcessId, Run, Succeeded
from ordinaut_mcp.domain.snoozing import SnoozeRequest
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.ports import RunFilter
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.store.pool import Pool, row, rows
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.slots import PostgresSlots
from tests.leasing import settled

# Every world begins on Sunday 2026-11-22 at 08:00 in UTC.
FREEZE: Final[LiteralString] = """
    CREATE TABLE ordinaut.frozen (at timestamptz NOT NULL);
    INSERT INTO ordinaut.frozen VALUES ('2026-11-22T08:00Z');
    CREATE OR REPLACE FUNCTION ordinaut.now() RETURNS timestamptz
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT at FROM ordinaut.frozen $$;
"""
SET: Final[LiteralString] = "UPDATE ordinaut.frozen SET at = %(at)s"
HISTORY: Final[LiteralString] = """
    SELECT r.*, coalesce(d.state, r.state) AS now_state
    FROM ordinaut.run r LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
    WHERE r.task_id = %(id)s
    ORDER BY r.scheduled_for, r.skipped_until NULLS FIRST, r.id
"""
EVERYTHING: Final[LiteralString] = """
    SELECT (SELECT count(*) FROM ordinaut.task) AS task,
           (SELECT count(*) FROM ordinaut.task_revision) AS task_revision,
           (SELECT count(*) FROM ordinaut.slot) AS slot,
           (SELECT count(*) FROM ordinaut.run) AS run,
           (SELECT count(*) FROM ordinaut.due_work) AS due_work
"""
LOCAL: Final = Caller("local")
STRANGER: Final = Caller("stranger")
WORKER: Final = ProcessId(1)
LONG: Final = timedelta(days=3650)
STEP: Final = {"id": "a", "uses": "value.set", "with": {"value": 1}}


def instant(text: str) -> datetime:
    """`2026-11-22T08:00`, read as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def short(at: datetime) -> str:
    """`22 08:00`: day and time in UTC, seconds where they matter."""
    at = at.astimezone(UTC)
    return f"{at:%d %H:%M:%S}" if at.second else f"{at:%d %H:%M}"


@dataclass(slots=True, kw_only=True)
class World:
    """The services and the scheduler's step over one database, at the instant that we say."""

    pool: Pool
    services: Services
    caller: Caller = LOCAL
    slots: PostgresSlots = field(init=False)
    queue: PostgresQueue = field(init=False)

    def __post_init__(self) -> None:
        self.slots = PostgresSlots(self.pool)
        self.queue = PostgresQueue(self.pool)

    @property
    def stranger(self) -> World:
        """The same world, seen by another agent."""
        return World(pool=self.pool, services=self.services, caller=STRANGER)

    async def at(self, text: str) -> None:
        """Let the database's now be this instant (UTC), before or after what it was."""
        await self.execute(SET, at=instant(text))

    async def execute(self, statement: LiteralString, **parameters: Any) -> None:
        """One statement, for what no caller can do."""
        async with self.pool.connection() as connection:
            await connection.execute(statement, parameters)

    async def facts(self, statement: LiteralString, **parameters: Any) -> Mapping[str, Any]:
        """The first row of one statement."""
        async with self.pool.connection() as connection:
            found = await row(connection, statement, parameters)
        assert found is not None
        return found

    async def stored(self) -> Mapping[str, Any]:
        """How many rows there are."""
        return await self.facts(EVERYTHING)

    async def schedule(self, expr: str, **request: Any) -> Task:
        """Make or change a task that does next to nothing."""
        plain = {"title": "Probe", "schedule_expr": expr, "pipeline": [STEP]}
        return (await self.services.tasks.schedule(self.caller, {**plain, **request})).task

    async def update(self, task: Task, **request: Any) -> Task:
        """Change parts of a task."""
        return (await self.services.tasks.update(self.caller, task.name, request)).task

    async def get(self, task: Task) -> Task:
        """The task as it is now."""
        return (await self.services.tasks.get(self.caller, task.name))[0]

    async def snooze(self, task: Task, **request: Any) -> SnoozeWrite:
        """Move or leave out its next occurrence."""
        asked = SnoozeRequest(**request)
        return (await self.services.tasks.snooze(self.caller, task.name, asked))[1]

    async def snooze_an_hour(self, task: Task) -> SnoozeWrite:
        """Move its next occurrence by an hour."""
        return await self.snooze(task, span=timedelta(hours=1))

    async def run_now(self, task: Task, key: str | None = None) -> Run:
        """Order a run by hand, without waiting for it."""
        return await self.services.runs.run_now(
            self.caller, task.name, params=None, key=key, wait=timedelta(0)
        )

    async def pause(self, task: Task, note: str | None = None) -> Task:
        """Let its occurrences be skipped from now on."""
        return await self.services.tasks.pause(self.caller, task.name, note)

    async def resume(self, task: Task) -> Task:
        """Let it fire again."""
        return await self.services.tasks.resume(self.caller, task.name)

    async def cancel(self, task: Task) -> Task:
        """End it for good."""
        return await self.services.tasks.cancel(self.caller, task.name)

    async def tick(self) -> None:
        """What a scheduler does when it wakes: account for everything that is due."""
        with anyio.fail_after(20):
            while await self.slots.materialise(account_for, limit=200):
                pass

    async def wake(self, text: str) -> None:
        """The clock is set, and a scheduler wakes."""
        await self.at(text)
        await self.tick()

    async def claim(self, limit: int = 100) -> list[ClaimedRun]:
        """What a worker would begin now."""
        return list(await self.queue.claim(WORKER, limit=limit, lease_for=LONG))

    async def finish(self, *claimed: ClaimedRun) -> None:
        """The runs end well."""
        for run in claimed:
            assert await settled(self.queue, run.lease, Succeeded(None))

    async def work(self) -> None:
        """Everything that is due is run and ends at once."""
        with anyio.fail_after(20):
            while claimed := await self.claim():
                await self.finish(*claimed)

    async def runs(self, task: Task) -> list[Run]:
        """The task's rows as its owner sees them, oldest first."""
        wanted = RunFilter(task_id=task.id, limit=200)
        found = await self.services.runs.list(self.caller, wanted)
        return sorted(found, key=lambda run: (run.scheduled_for, run.id))

    async def history(self, task: Task) -> list[str]:
        """One sentence for each row: `queued 22 09:00`, `late 22 10:00 to 22 12:00 x3`."""
        async with self.pool.connection() as connection:
            return [_said(found) for found in await rows(connection, HISTORY, {"id": task.id})]

    async def next(self, task: Task) -> str | None:
        """The task's next slot, or None."""
        found = await self.get(task)
        return found.next_run_at and short(found.next_run_at)


def new_world(pool: Pool, **settings: Any) -> World:
    """The services with the zone UTC where none is given."""
    return World(pool=pool, services=services_over(pool, Settings(timezone="UTC", **settings)))


def _said(found: Mapping[str, Any]) -> str:
    at = short(found["scheduled_for"])
    if found["now_state"] != "skipped":
        moved = found["due_at"] != found["scheduled_for"]
        kind = "" if found["kind"] == "schedule" else f"{found['kind']} "
        return f"{kind}{found['now_state']} {at}" + (
            f" at {short(found['due_at'])}" if moved else ""
        )
    if found["skipped_count"] == 1 and found["skipped_is_exact"]:
        return f"{found['reason']} {at}"
    count = f"{'' if found['skipped_is_exact'] else 'at least '}{found['skipped_count']}"
    return f"{found['reason']} {at} to {short(found['skipped_until'])} x{count}"
