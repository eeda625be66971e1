"""What the runtime's loops need of the queue and of one another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ordinaut_mcp.domain.decision import Accounted, DueTask, Recomputed, StaleTask
from ordinaut_mcp.domain.run import ClaimedRun, JournalEntry, Lease, ProcessId, Settlement


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is materialised and nothing is claimed `since` then; `by` whom, and why."""

    by: str
    since: datetime
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep removed. Of events also what stays as nobody published it, and what went so."""

    partitions: Sequence[str] = ()
    rows: int = 0
    unpublished: Sequence[str] = ()
    given_up: Sequence[str] = ()


Account = Callable[[DueTask, datetime], Accounted]


Recompute = Callable[[StaleTask], Recomputed]


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

    async def ahead(
        self, *, within: timedelta, beyond: DueTask | None, limit: int
    ) -> Sequence[DueTask]:
        """Tasks that will be due within this span, in order, beginning after `beyond`."""
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

    async def settle(self, batch: Sequence[Settlement]) -> set[Lease]:
        """Record how attempts ended, all or none; the leases that are no longer held.

        What would bring a run back that somebody wants ended cancels it instead.
        """
        ...

    async def journal(self, entries: Sequence[JournalEntry]) -> set[Lease]:
        """Write lines of the journal, all or none; the leases that are no longer held.

        A step that is journalled as succeeded is never written over.
        """
        ...

    async def cut_off(self) -> set[ProcessId]:
        """The processes with running runs whose connection the database has seen end."""
        ...

    async def reap(self, *, crashes_allowed: int, gone: Collection[ProcessId] = ()) -> int:
        """Return leases that expired, or whose process is gone, to the queue or the dead letters.

        How many it were.
        """
        ...


class LeaseKeeper(Protocol):
    """One process's heartbeat, from a thread of its own: nothing here is asynchronous."""

    def beat(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[Lease]:
        """Say that the process is alive and extend its leases; those that are no longer held."""
        ...

    def rest(self, at_most: float) -> None:
        """Wait so many seconds, or until the connection ended or `wake` was called."""
        ...

    def wake(self) -> None:
        """End the rest, from any thread."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
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


class SettingStore(Protocol):
    """What holds for the whole runtime, until somebody changes it."""

    async def pause(self, by: str, *, note: str | None) -> bool:
        """Let nothing start any more; False: it was paused already, only a note may be new."""
        ...

    async def resume(self, by: str) -> bool:
        """Let things start again; False: it was not paused."""
        ...

    async def paused(self) -> Pause | None:
        """The pause that holds now."""
        ...


class RetentionStore(Protocol):
    """What is over and may go. Any number of janitors may sweep at once.

    A sweep is many short transactions; what is in use just now stays for the next one.
    """

    async def keep_partitions(self) -> None:
        """Make sure that the time to come has its partitions."""
        ...

    async def sweep_runs(self, keep: timedelta) -> Swept:
        """Remove runs and steps that were created longer ago, but for unfinished ones."""
        ...

    async def sweep_events(self, keep: timedelta) -> Swept:
        """Remove events that were told longer ago; what nobody published stays four times so."""
        ...

    async def sweep_slots(self, keep: timedelta) -> int:
        """Remove slots that were taken longer ago and whose run is gone; how many."""
        ...

    async def sweep_processes(
        self, seen: Collection[ProcessId]
    ) -> tuple[int, frozenset[ProcessId]]:
        """Forget processes that are silent for over 7 days, and were when they were `seen`.

        How many went, and who else is silent.
        """
        ...

    async def sweep_permits(self) -> int:
        """Remove free permits of keys that nobody unfinished has; how many."""
        ...
