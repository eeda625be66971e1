"""Two worlds with one queue each: in memory, and in PostgreSQL. One suite is held to both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, LiteralString, Protocol
from uuid import uuid4

from ordinaut_mcp.domain.decision import NewRun, TaskWrite
from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import RunId, RunKind, RunState, StepRecord
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus
from ordinaut_mcp.ports import CancelStore, LeaseKeeper, RunQueue
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.heartbeat import PostgresLeaseKeeper
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.settings import PostgresSettings
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.doubles.definitions import a_definition
from tests.doubles.memory_queue import MemoryCancels, MemoryQueue
from tests.moving import move

OWNER = "local"
HOLDERS: Final[LiteralString] = """
    SELECT run_id FROM ordinaut.permit WHERE owner = %(owner)s AND key = %(key)s ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of a run from outside, alike in both worlds."""

    state: RunState
    attempt: int
    reason: str | None
    error: str | None
    """The error's code."""
    output: Any
    executed: bool | None
    verified: bool | None
    steps: Mapping[str, StepRecord]


class World(Protocol):
    """A queue, and what a test does around it."""

    @property
    def queue(self) -> RunQueue:
        """The port under test."""
        ...

    @property
    def keeper(self) -> LeaseKeeper:
        """The port of the heartbeat."""
        ...

    @property
    def cancels(self) -> CancelStore:
        """The port that ends runs."""
        ...

    async def add(
        self,
        *,
        task: int = 1,
        priority: int = 5,
        due_in: timedelta = timedelta(0),
        serial: bool = False,
        owner: str = OWNER,
        limit: Limit | None = None,
    ) -> RunId:
        """Queue one run of a task; each owner has tasks of its own."""
        ...

    async def pause(self) -> None:
        """Let nothing start any more."""
        ...

    async def resume(self) -> None:
        """Let things start again."""
        ...

    async def holders(self, key: str) -> list[RunId | None]:
        """Who holds the places under a key of `OWNER`, the first place first; None: free."""
        ...

    async def move(self, by: timedelta) -> None:
        """Let time pass."""
        ...

    async def look(self, run_id: RunId) -> Seen:
        """Look at a run."""
        ...


class MemoryWorld:
    """The double."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.keeper = self.queue
        self.cancels = MemoryCancels(self.queue)

    async def add(
        self,
        *,
        task: int = 1,
        priority: int = 5,
        due_in: timedelta = timedelta(0),
        serial: bool = False,
        owner: str = OWNER,
        limit: Limit | None = None,
    ) -> RunId:
        return self.queue.add(
            task_id=task,
            priority=priority,
            due_in=due_in,
            serial=serial,
            owner=owner,
            limit=limit,
        )

    async def pause(self) -> None:
        self.queue.is_paused = True

    async def resume(self) -> None:
        self.queue.is_paused = False

    async def holders(self, key: str) -> list[RunId | None]:
        return [permit.run_id for permit in self.queue.permits.under(OWNER, key)]

    async def move(self, by: timedelta) -> None:
        self.queue.now += by

    async def look(self, run_id: RunId) -> Seen:
        work = self.queue.works[run_id]
        return Seen(
            work.state,
            work.attempt,
            work.reason,
            code_of(work.error),
            work.output,
            work.executed,
            work.verified,
            work.journal,
        )


class PostgresWorld:
    """The real thing, whose now is moved by its one SQL function."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.queue = PostgresQueue(pool)
        self.keeper = PostgresLeaseKeeper(str(pool.conninfo))
        self.cancels = PostgresCancels(pool)
        self.runs = PostgresRuns(pool)
        self.settings = PostgresSettings(pool)
        self._tasks: dict[tuple[str, int], Task] = {}

    async def task(
        self, number: int = 1, definition: TaskDefinition | None = None, owner: str = OWNER
    ) -> Task:
        """The task with this number of the test's own, made when it is first named."""
        if (owner, number) not in self._tasks:
            write = a_write(definition or a_definition())
            store = PostgresTasks(self.pool)
            made = await store.put(owner, key=None, decide=lambda _, __: write)
            self._tasks[owner, number] = made
        return self._tasks[owner, number]

    async def add(
        self,
        *,
        task: int = 1,
        priority: int = 5,
        due_in: timedelta = timedelta(0),
        serial: bool = False,
        owner: str = OWNER,
        limit: Limit | None = None,
    ) -> RunId:
        now = await PostgresTasks(self.pool).now()
        wanted = NewRun(
            slot_key=f"manual:{uuid4()}",
            kind=RunKind.MANUAL,
            scheduled_for=now,
            due_at=now + due_in,
            priority=priority,
            serial=serial,
            limit=limit,
        )
        return (await self.runs.order(await self.task(task, owner=owner), wanted)).run_id

    async def pause(self) -> None:
        await self.settings.pause(OWNER, note=None)

    async def resume(self) -> None:
        await self.settings.resume(OWNER)

    async def holders(self, key: str) -> list[RunId | None]:
        async with self.pool.connection() as connection:
            found = await connection.execute(HOLDERS, {"owner": OWNER, "key": key})
            return [one["run_id"] for one in await found.fetchall()]

    async def move(self, by: timedelta) -> None:
        await move(self.pool, by)

    async def look(self, run_id: RunId) -> Seen:
        run = await self.runs.get(OWNER, run_id)
        return Seen(
            run.state,
            run.attempt,
            run.reason,
            code_of(run.error),
            run.output,
            run.executed,
            run.verified,
            {step.path: step for step in run.steps},
        )


def a_write(definition: TaskDefinition) -> TaskWrite:
    """A task that is made with this definition and has no slot to come."""
    return TaskWrite(
        title=definition.title,
        tags=(),
        status=TaskStatus.ACTIVE,
        note=None,
        request={},
        definition=definition.to_dict(),
        next_run_at=None,
        tz_version="2026f",
        pipeline_digest="",
    )


def code_of(error: Mapping[str, Any] | None) -> str | None:
    """What an error is, in one word."""
    return None if error is None else str(error["code"])


def as_of(step: StepRecord) -> StepRecord:
    """A line of the journal without its times, which are each world's own."""
    return replace(step, started_at=None, finished_at=None)
