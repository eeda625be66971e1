"""The `RunQueue` port in memory. `tests/contract` holds it to what PostgreSQL does.

Every method checkpoints, as real I/O does, so that a missing shield or a race shows here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    Lease,
    Outcome,
    Parked,
    ProcessId,
    Released,
    RunId,
    RunKind,
    RunState,
    StepRecord,
    StepState,
    Succeeded,
    TaskId,
    no_such_run,
    run_name,
)
from ordinaut_mcp.errors import Unavailable
from tests.doubles.definitions import NOON, a_definition

WAITS = frozenset({RunState.QUEUED, RunState.RETRYING})


@dataclass(slots=True)
class Work:
    """One run, with everything that a test may want to look at."""

    id: RunId
    created_at: datetime
    run_at: datetime
    definition: Mapping[str, Any]
    params: Mapping[str, Any]
    task_id: TaskId
    priority: int = 5
    serial: bool = False
    state: RunState = RunState.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    epoch: int = 0
    process: ProcessId | None = None
    lease_until: datetime | None = None
    started_at: datetime | None = None
    reason: str | None = None
    cancel_reason: str | None = None
    error: Mapping[str, Any] | None = None
    output: Any = None
    executed: bool | None = None
    verified: bool | None = None
    journal: dict[str, StepRecord] = field(default_factory=dict[str, StepRecord])

    @property
    def lease(self) -> Lease:
        """The newest lease on it."""
        return Lease(run_id=self.id, created_at=self.created_at, epoch=self.epoch)


class MemoryQueue:
    """A queue whose clock stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON
        self.works: dict[RunId, Work] = {}
        self.settled: list[tuple[RunId, Outcome]] = []
        self.calls: list[str] = []
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
    ) -> RunId:
        """Queue one run."""
        run_id = RunId(len(self.works) + 1)
        self.works[run_id] = Work(
            id=run_id,
            created_at=self.now,
            run_at=self.now + due_in,
            definition=a_definition().to_dict() if definition is None else definition,
            params=params or {},
            task_id=TaskId(task_id),
            priority=priority,
            serial=serial,
        )
        return run_id

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        await self._answer("claim")
        due = [work for work in self.works.values() if self._is_free(work)]
        due.sort(key=lambda work: (-work.priority, work.run_at, work.id))
        return [self._leased(work, process, lease_for) for work in due[:limit]]

    async def next_due_in(self) -> timedelta | None:
        await self._answer("next_due_in")
        lately = self.now - timedelta(seconds=1)
        waiting = [work.run_at for work in self.works.values() if work.state in WAITS]
        coming = [at for at in waiting if at > lately]
        return min(coming) - self.now if coming else None

    async def renew(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[RunId]:
        await self._answer("renew")
        lost: set[RunId] = set()
        for lease in leases:
            work = self._held(lease)
            if work is None or work.process != process:
                lost.add(lease.run_id)
            else:
                work.lease_until = self.now + lease_for
        return lost

    async def settle(self, lease: Lease, outcome: Outcome) -> bool:
        await self._answer("settle")
        work = self._held(lease)
        if work is None:
            return False
        self.settled.append((lease.run_id, outcome))
        self._settle(work, _heeding(work, outcome))
        return True

    async def begin_step(self, lease: Lease, step: StepRecord) -> bool:
        await self._answer("begin_step")
        work = self._held(lease)
        if work is None or self._has_succeeded(work, step):
            return False
        work.journal[step.path] = replace(
            step, state=StepState.RUNNING, output=None, error=None, started_at=self.now
        )
        return True

    async def finish_step(self, lease: Lease, step: StepRecord) -> bool:
        await self._answer("finish_step")
        work = self._held(lease)
        if work is None:
            return False
        if not self._has_succeeded(work, step):
            before = work.journal.get(step.path) or replace(step, started_at=self.now)
            work.journal[step.path] = replace(
                before,
                state=step.state,
                output=step.output,
                error=step.error,
                finished_at=self.now,
            )
        return True

    async def reap(self, *, crashes_allowed: int) -> int:
        await self._answer("reap")
        expired = [
            work
            for work in self.works.values()
            if work.state is RunState.RUNNING and work.lease_until and work.lease_until < self.now
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
        if work.state not in WAITS or work.run_at > self.now:
            return False
        others = [other for other in self.works.values() if other.task_id == work.task_id]
        return not (work.serial and any(self._is_before(other, work) for other in others))

    def _is_before(self, other: Work, work: Work) -> bool:
        if other.id > work.id:
            return other.serial and other.state is RunState.RUNNING
        is_moved_ahead = other.state is RunState.QUEUED and other.run_at > self.now
        unfinished = other.state in WAITS | {RunState.RUNNING, RunState.WAITING}
        return other.id < work.id and unfinished and not is_moved_ahead

    def _leased(self, work: Work, process: ProcessId, lease_for: timedelta) -> ClaimedRun:
        work.state, work.process = RunState.RUNNING, process
        work.attempt, work.epoch = work.attempt + 1, work.epoch + 1
        work.lease_until = self.now + lease_for
        work.started_at = started_at = work.started_at or self.now
        return ClaimedRun(
            lease=work.lease,
            task_id=work.task_id,
            task_key=None,
            owner="local",
            kind=RunKind.MANUAL,
            attempt=work.attempt,
            failures=work.failures,
            crashes=work.crashes,
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

    @staticmethod
    def _has_succeeded(work: Work, step: StepRecord) -> bool:
        before = work.journal.get(step.path)
        return before is not None and before.state is StepState.SUCCEEDED

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
        if work is None or owner != "local":
            raise no_such_run(run_name(run_id))
        if work.state is RunState.RUNNING:
            work.cancel_reason = reason
        elif work.state in WAITS | {RunState.WAITING}:
            work.state, work.reason = RunState.CANCELED, reason
