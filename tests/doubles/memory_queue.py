"""The `RunQueue` port in memory. `tests/contract` holds it to what PostgreSQL does.

Every method checkpoints, as real I/O does, so that a missing shield or a race shows here.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never

from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    JournalEntry,
    JournalLine,
    Lease,
    Outcome,
    Parked,
    ProcessId,
    Released,
    RunId,
    RunKind,
    RunState,
    Settlement,
    StepState,
    Succeeded,
    TaskId,
    no_such_run,
    run_name,
)
from ordinaut_mcp.errors import Unavailable
from tests.doubles.definitions import NOON, a_definition
from tests.doubles.memory_claims import Permits, in_turn
from tests.doubles.memory_work import WAITS, Work


class MemoryQueue:
    """A queue whose clock stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON
        self.works: dict[RunId, Work] = {}
        self.settled: list[tuple[RunId, Outcome]] = []
        self.calls: list[str] = []
        self.permits = Permits()
        self.is_paused = False
        """While it is, nothing is claimed."""
        self._after = ""
        self._woken = threading.Event()
        self.dead: set[ProcessId] = set()
        """Processes whose connection has ended."""
        self.is_away = False
        """While it is, every method raises `Unavailable`."""

    def add(
        self,
        definition: Mapping[str, Any] | None = None,
        *,
        task_id: int = 1,
        params: Mapping[str, Any] | None = None,
        priority: int = 5,
        due_in: timedelta = timedelta(0),
        serial: bool = False,
        owner: str = "local",
        limit: Limit | None = None,
    ) -> RunId:
        """Queue one run."""
        if limit:
            self.permits.make(owner, limit, self.now)
        run_id = RunId(len(self.works) + 1)
        self.works[run_id] = Work(
            id=run_id,
            created_at=self.now,
            run_at=self.now + due_in,
            definition=a_definition().to_dict() if definition is None else definition,
            params=params or {},
            task_id=TaskId(task_id),
            owner=owner,
            priority=priority,
            serial=serial,
            limit=limit,
            needs_permit=limit is not None,
        )
        return run_id

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        await self._answer("claim")
        due = [work for work in self.works.values() if self._is_free(work)]
        chosen = self.permits.pair(due, limit)
        free = in_turn(due, limit - len(chosen), after=self._after)
        self._after = free[-1].owner if free else self._after
        return [self._leased(work, process, lease_for) for work in [*chosen, *free]]

    async def next_due_in(self) -> timedelta | None:
        await self._answer("next_due_in")
        lately = self.now - timedelta(seconds=1)
        waiting = [work.run_at for work in self.works.values() if work.state in WAITS]
        coming = [at for at in waiting if at > lately and not self.is_paused]
        return min(coming) - self.now if coming else None

    def beat(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[Lease]:
        """The `LeaseKeeper` port over the same queue; called from a thread."""
        self.calls.append("beat")
        if self.is_away:
            raise Unavailable("The database is not reachable; nothing was stored.")
        lost: set[Lease] = set()
        for lease in leases:
            work = self._held(lease)
            if work is None or work.process != process:
                lost.add(lease)
            else:
                work.lease_until = self.now + lease_for
        return lost

    def rest(self, at_most: float) -> None:
        """As the real one does, with a thread's event."""
        self._woken.wait(at_most)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self.calls.append("close")

    async def settle(self, batch: Sequence[Settlement]) -> set[Lease]:
        await self._answer("settle")
        lost: set[Lease] = set()
        for one in batch:
            work = self._held(one.lease)
            if work is None:
                lost.add(one.lease)
                continue
            self._write(work, one.lines)
            self.settled.append((one.lease.run_id, one.outcome))
            self._settle(work, _heeding(work, one.outcome))
        return lost

    async def journal(self, entries: Sequence[JournalEntry]) -> set[Lease]:
        await self._answer("journal")
        lost: set[Lease] = set()
        for entry in entries:
            work = self._held(entry.lease)
            if work is None:
                lost.add(entry.lease)
            else:
                self._write(work, entry.lines)
        return lost

    def _write(self, work: Work, lines: Sequence[JournalLine]) -> None:
        for line in lines:
            step, before = line.record, work.journal.get(line.record.path)
            if before and before.state is StepState.SUCCEEDED:
                continue
            begins = step.state is StepState.RUNNING
            work.journal[step.path] = replace(
                step,
                input=step.input if step.input is not None or not before else before.input,
                started_at=before.started_at if before else self.now,
                finished_at=None if begins else self.now,
            )

    async def cut_off(self) -> set[ProcessId]:
        await self._answer("cut_off")
        running = {work.process for work in self.works.values() if work.state is RunState.RUNNING}
        return self.dead & running

    async def reap(self, *, crashes_allowed: int, gone: Collection[ProcessId] = ()) -> int:
        await self._answer("reap")
        expired = [
            work
            for work in self.works.values()
            if work.state is RunState.RUNNING
            and work.lease_until
            and (work.lease_until < self.now or work.process in gone)
        ]
        for work in expired:
            self._reap(work, crashes_allowed)
        return len(expired)

    async def _answer(self, name: str) -> None:
        self.calls.append(name)
        is_away = self.is_away
        await checkpoint()
        if is_away:
            raise Unavailable("The database is not reachable; nothing was stored.")

    def _is_free(self, work: Work) -> bool:
        if self.is_paused or work.state not in WAITS or work.run_at > self.now:
            return False
        others = [other for other in self.works.values() if other.task_id == work.task_id]
        return not (work.serial and any(self._is_before(other, work) for other in others))

    def _is_before(self, other: Work, work: Work) -> bool:
        if other.id > work.id:
            is_begun = other.state is RunState.RUNNING or (
                other.state is RunState.RETRYING and work.state is RunState.QUEUED
            )
            return other.serial and is_begun
        is_moved_ahead = other.state is RunState.QUEUED and (
            other.run_at > self.now or work.state is RunState.RETRYING
        )
        unfinished = other.state in WAITS | {RunState.RUNNING, RunState.WAITING}
        return other.id < work.id and unfinished and not is_moved_ahead

    def _leased(self, work: Work, process: ProcessId, lease_for: timedelta) -> ClaimedRun:
        work.state, work.process = RunState.RUNNING, process
        work.attempt, work.epoch = work.attempt + 1, work.epoch + 1
        work.lease_until, work.needs_permit = self.now + lease_for, False
        work.started_at = started_at = work.started_at or self.now
        return ClaimedRun(
            lease=work.lease,
            task_id=work.task_id,
            generation=1,
            task_key=None,
            owner=work.owner,
            kind=RunKind.MANUAL,
            attempt=work.attempt,
            failures=work.failures,
            crashes=work.crashes,
            redrive=work.redrive,
            scheduled_for=work.created_at,
            started_at=started_at,
            definition=work.definition,
            params=work.params,
            journal=dict(work.journal),
        )

    def _held(self, lease: Lease) -> Work | None:
        work = self.works.get(lease.run_id)
        is_held = work and work.state is RunState.RUNNING and work.epoch == lease.epoch
        return work if is_held else None

    def _settle(self, work: Work, outcome: Outcome) -> None:
        match outcome:
            case Succeeded(output, verified):
                work.state, work.output, work.error = RunState.SUCCEEDED, output, None
                work.executed, work.verified = True, verified
            case Failed(error, None, verified):
                work.state, work.error, work.verified = RunState.FAILED, error, verified
                work.executed = error.get("code") == "not_verified"
            case Failed(error, rest, _):
                work.state, work.error, work.failures = RunState.RETRYING, error, work.failures + 1
                work.run_at = self.now + timedelta(seconds=rest or 0)
            case Released():
                work.state, work.attempt = RunState.QUEUED, work.attempt - 1
            case Parked(error):
                work.state, work.error = RunState.WAITING, error
            case Cancelled(reason):
                work.state, work.reason = RunState.CANCELED, reason
                self._leave_open(work)
            case _:
                assert_never(outcome)
        work.process = work.lease_until = None
        self._give_back(work)

    def _reap(self, work: Work, crashes_allowed: int) -> None:
        work.error = {"code": "worker_lost"}
        work.process = work.lease_until = None
        if work.cancel_reason:
            work.state, work.reason = RunState.CANCELED, work.cancel_reason
            self._leave_open(work)
        elif work.crashes + 1 < crashes_allowed:
            work.state = RunState.RETRYING
            work.run_at = self.now + timedelta(seconds=work.crashes)
        else:
            work.state, work.executed = RunState.FAILED, False
            self._leave_open(work)
        work.crashes += 1
        self._give_back(work)

    def _give_back(self, work: Work) -> None:
        """A retrying run keeps its permit."""
        if work.limit and work.state is not RunState.RETRYING:
            self.permits.give_back(work, self.now)
            work.needs_permit = work.state in WAITS | {RunState.WAITING}

    def end_waiting(self, work: Work, reason: str) -> None:
        """End a run that nobody executes."""
        work.state, work.reason = RunState.CANCELED, reason
        self._leave_open(work)
        self._give_back(work)

    def _leave_open(self, work: Work) -> None:
        for path, step in work.journal.items():
            if step.state is StepState.RUNNING:
                work.journal[path] = replace(step, state=StepState.UNKNOWN, finished_at=self.now)


def _heeding(work: Work, outcome: Outcome) -> Outcome:
    """A run that somebody wants ended does not come back to the queue."""
    comes_back = isinstance(outcome, Released | Parked) or (
        isinstance(outcome, Failed) and outcome.retry_in_seconds is not None
    )
    return Cancelled(work.cancel_reason) if work.cancel_reason and comes_back else outcome


class MemoryCancels:
    """The `CancelStore` port over the queue in memory."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self.looks = 0

    async def wanted(self, process: ProcessId) -> Mapping[RunId, str]:
        self.looks += 1
        await checkpoint()
        if self._queue.is_away:
            raise Unavailable("The database is not reachable; nothing was stored.")
        return {
            work.id: work.cancel_reason
            for work in self._queue.works.values()
            if work.state is RunState.RUNNING and work.process == process and work.cancel_reason
        }

    async def cancel(self, owner: str, run_id: RunId, *, reason: str) -> None:
        await checkpoint()
        work = self._queue.works.get(run_id)
        if work is None or owner != work.owner:
            raise no_such_run(run_name(run_id))
        if work.state is RunState.RUNNING:
            work.cancel_reason = reason
        elif work.state in WAITS | {RunState.WAITING}:
            self._queue.end_waiting(work, reason)
