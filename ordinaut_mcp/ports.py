"""What services and the runtime need from the world, in their own words.

Each method is one transaction and one promise: when it returns, what it promises is durable.
Every method may raise `Unavailable`; then nothing was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ordinaut_mcp.domain.decision import (
    Accounted,
    DueTask,
    NewRun,
    Recomputed,
    SnoozeWrite,
    StaleTask,
    StatusWrite,
    TaskWrite,
)
from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Lease,
    Outcome,
    ProcessId,
    Run,
    RunId,
    RunState,
    StepRecord,
    TaskId,
)
from ordinaut_mcp.domain.snoozing import Snooze
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.domain.tool import ServerStatus, ToolOutcome, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to list; the newest first."""

    status: TaskStatus | None = None
    tag: str | None = None
    query: str | None = None
    limit: int = 20
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; the newest first."""

    task_id: TaskId | None = None
    state: RunState | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 20
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A run that was asked for; not `made` when an earlier request with this key made it."""

    run_id: RunId
    made: bool
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessInfo:
    """One runtime process, alive or not."""

    id: ProcessId
    host: str
    pid: int
    roles: Sequence[str]
    version: str
    tzdata: str
    started_at: datetime
    heartbeat_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much unfinished work there is."""

    queued: int
    running: int
    retrying: int
    waiting: int
    oldest_overdue: timedelta | None


Decide = Callable[[Task | None, datetime], TaskWrite | None]
"""Pure: the task as it is (None: new) and now → what it shall be (None: nothing changes)."""
DecideStatus = Callable[[Task, datetime], StatusWrite | None]
Account = Callable[[DueTask, datetime], Accounted]
Recompute = Callable[[StaleTask], Recomputed]


class Bell(Protocol):
    """Wakes the runtime; a ring that is lost costs one poll, nothing more. Never raises."""

    async def ring(self, bell: str) -> None:
        """Ring after the commit, never inside the transaction."""
        ...


class TaskStore(Protocol):
    """The tasks of all owners; each method sees one owner's only."""

    async def now(self) -> datetime:
        """The database's now."""
        ...

    async def put(self, owner: str, *, key: str | None, decide: Decide) -> Task:
        """Make or change the owner's task with that key (None: always a new one)."""
        ...

    async def edit(self, owner: str, reference: str, *, decide: Decide) -> Task:
        """Change one task.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def set_status(self, owner: str, reference: str, *, decide: DecideStatus) -> Task:
        """Change one task's status, with what that means for its slots and its queued runs.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def get(self, owner: str, reference: str) -> Task:
        """One task, by id or key.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def list(self, owner: str, wanted: TaskFilter) -> Sequence[Task]:
        """The owner's tasks, newest first."""
        ...

    async def coming(self, owner: str, *, until: datetime, limit: int) -> Sequence[Task]:
        """The owner's tasks with a slot up to `until`, the soonest first; paused ones, too."""
        ...

    async def conflicts(self, task: Task, minutes: Sequence[datetime]) -> Sequence[tuple[int, str]]:
        """Other active tasks of the owner that do the same in one of these minutes: id, title."""
        ...


class SnoozeStore(Protocol):
    """Occurrences that move, while their series stays."""

    async def snooze(
        self, owner: str, reference: str, *, decide: Snooze
    ) -> tuple[Task, SnoozeWrite]:
        """Move or leave out the next occurrence of one task.

        Raises:
            NotFound: the owner has no such task.
        """
        ...


class RunStore(Protocol):
    """The runs of all owners; each method sees one owner's only."""

    async def order(self, task: Task, run: NewRun) -> Ordered:
        """Queue one run; the same slot key gives the same run."""
        ...

    async def get(self, owner: str, run_id: RunId) -> Run:
        """One run with its steps.

        Raises:
            NotFound: the owner has no such run.
        """
        ...

    async def list(self, owner: str, wanted: RunFilter) -> Sequence[Run]:
        """The owner's runs without their steps, newest first."""
        ...

    async def unfinished(self, owner: str, *, limit: int) -> Sequence[Run]:
        """The owner's unfinished runs, those that are due first at the top."""
        ...

    async def order_all(self, task: Task, wanted: Sequence[NewRun]) -> int:
        """Queue runs whose slots are new; how many were made."""
        ...


class SlotStore(Protocol):
    """What is due, for schedulers; any number of them side by side."""

    async def materialise(self, account: Account, *, limit: int) -> int:
        """Account for the slots of up to `limit` due tasks; how many tasks were due.

        A slot becomes one run however many schedulers try: tasks are locked, slots unique.
        """
        ...

    async def next_due_in(self) -> timedelta | None:
        """Until the next slot of any task by the database's clock; None: none to come."""
        ...

    async def rezone(self, recompute: Recompute, *, tz_version: str, limit: int) -> int:
        """Compute anew what another release of tzdata computed; how many tasks it were."""
        ...


class RunQueue(Protocol):
    """Due work and the leases on it, for workers and the reaper."""

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        """Lease up to `limit` due runs to the process, the highest priority first."""
        ...

    async def next_due_in(self) -> timedelta | None:
        """Until the next queued run is due by the database's clock; None: nothing is queued."""
        ...

    async def renew(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[RunId]:
        """Extend the leases; the runs whose lease is no longer held."""
        ...

    async def settle(self, lease: Lease, outcome: Outcome) -> bool:
        """Record how the attempt ended; False when the lease is no longer held."""
        ...

    async def begin_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the intent before the call; False when the lease is no longer held."""
        ...

    async def finish_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the result after the call; False when the lease is no longer held."""
        ...

    async def reap(self, *, crashes_allowed: int) -> int:
        """Return expired leases to the queue, or to the dead letters; how many."""
        ...


class CancelStore(Protocol):
    """Ends runs before their time."""

    async def wanted(self, process: ProcessId) -> Mapping[RunId, str]:
        """The running runs of this process that somebody wants ended, each with the reason."""
        ...

    async def cancel(self, owner: str, run_id: RunId, *, reason: str) -> None:
        """End one run: at once where it waits, else ask its worker; a finished one stays.

        Raises:
            NotFound: the owner has no such run.
        """
        ...


class CatalogStore(Protocol):
    """What tool servers offer, as the runtime found it."""

    async def save(self, status: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """Replace what is known of one server."""
        ...

    async def keep_only(self, servers: Sequence[str]) -> None:
        """Forget servers that the tools file no longer names."""
        ...

    async def load(self) -> tuple[Sequence[ServerStatus], Sequence[ToolSpec]]:
        """Everything that is known."""
        ...


class ProcessStore(Protocol):
    """Who is alive, and what the whole runtime is doing."""

    async def register(self, *, roles: Sequence[str], version: str, tzdata: str) -> ProcessId:
        """A new id, at each start of a process."""
        ...

    async def beat(self, process: ProcessId) -> None:
        """Say that the process is alive."""
        ...

    async def leave(self, process: ProcessId) -> None:
        """Say that the process stopped on purpose."""
        ...

    async def alive(self, *, within: timedelta) -> Sequence[ProcessInfo]:
        """The processes that said so lately."""
        ...

    async def depth(self) -> Depth:
        """How much unfinished work there is."""
        ...

    async def keep_partitions(self) -> None:
        """Make sure that the next months have their partitions."""
        ...


class ToolCaller(Protocol):
    """Carries out one call of a pipeline's step; a tool's fault is a value, never raised."""

    async def call(
        self,
        uses: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: str,
        timeout: timedelta,  # noqa: ASYNC109 — the tool server is told, too
    ) -> ToolOutcome:
        """Call the tool and wait for its result at most `timeout`."""
        ...


class LanguageModel(Protocol):
    """A configured provider of model calls."""

    async def complete(
        self, instruction: str, *, data: Mapping[str, Any], output_schema: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """`{text, data, usage}`: one model call; `data` only where a schema was given."""
        ...
