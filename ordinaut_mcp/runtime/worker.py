"""The worker: claims due runs and executes each inside its lease."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
from anyio import CancelScope

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    Lease,
    Outcome,
    ProcessId,
    Released,
    RunId,
    run_name,
)
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import CancelStore, RunQueue
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.doorbell import Doorbell
from ordinaut_mcp.runtime.persistence import LeaseLost, persisted

log = logging.getLogger(__name__)

Execute = Callable[[ClaimedRun], Awaitable[Outcome]]
"""Carries out one attempt. Every fault of the task comes back as `Failed`, never raised."""

SETTLE_WITHIN = timedelta(seconds=5)
SWEEP = timedelta(seconds=5)
AFTER_TROUBLE = timedelta(seconds=1)
SHORTEST = timedelta(milliseconds=100)
"""The rest when something is due that cannot be claimed just now: no busy polling."""
CRASHED = {
    "code": "internal_error",
    "message": "Something went wrong inside Ordinaut; the log has the details.",
    "hint": "get_run shows how far it came; run_now runs the task again.",
}


@dataclass(slots=True)
class _Held:
    lease: Lease
    deadline: float
    scope: CancelScope = field(default_factory=CancelScope)
    cancelled: str | None = None


class Worker:
    """Claims due runs and executes each inside its lease.

    It stops in one of two ways. `stop()` ends the claiming and lets attempts finish.
    Cancelling `run()` interrupts them, and each gives its run back uncounted, so that another
    worker can claim it at once. A worker that dies does neither: its leases expire, and the
    reaper gives the runs back.
    """

    def __init__(
        self,
        process: ProcessId,
        queue: RunQueue,
        execute: Execute,
        clockwork: Clockwork,
        *,
        slots: int = 16,
        lease_for: timedelta = timedelta(seconds=30),
        cancels: CancelStore | None = None,
    ) -> None:
        self._process = process
        self._queue = queue
        self._execute = execute
        self._clockwork = clockwork
        self._slots = slots
        self._lease_for = lease_for
        self._held: dict[Lease, _Held] = {}
        self._stopping = False
        self._cancels = cancels
        self.cancel_bell = Doorbell()
        """Ring it when somebody may want a run of ours to end."""
        self.doorbell = Doorbell()
        """Ring it when work may have arrived; polling covers every ring that is missed."""

    def stop(self) -> None:
        """Claim nothing more; `run()` returns when the last attempt has been settled."""
        self._stopping = True
        self.doorbell.ring()

    async def run(self) -> None:
        """Work until stopped or cancelled."""
        async with anyio.create_task_group() as whole:
            whole.start_soon(self._keep_leases)
            if self._cancels is not None:
                whole.start_soon(self._heed, self._cancels)
            async with anyio.create_task_group() as attempts:
                while not self._stopping:
                    rest = await self._claim_into(attempts.start_soon)
                    if rest > timedelta(0) and not self._stopping:
                        self._clockwork.once_in(rest, self.doorbell.ring, name=f"run {id(self)}")
                        await self.doorbell.wait(SWEEP)
            whole.cancel_scope.cancel()

    async def _claim_into(self, start_soon: Callable[..., object]) -> timedelta:
        """Start what is due; how long nothing will be, zero: there may be more."""
        free = self._slots - len(self._held)
        if free <= 0:
            return SWEEP
        # Counted from before the question, so that our view of a lease never outlives it.
        deadline = anyio.current_time() + self._lease_for.total_seconds()
        try:
            claimed = await self._claim(free)
            for run in claimed:
                self._supersede(run.lease.run_id)
                held = self._held[run.lease] = _Held(run.lease, deadline)
                start_soon(self._attempt, run, held)
            if len(claimed) == free:
                return timedelta(0)
            rest = await self._queue.next_due_in()
        except Unavailable:
            log.warning("claimed nothing: the database did not answer")
            return AFTER_TROUBLE
        if rest is None:
            return SWEEP
        # Due and yet not claimed: locked by another, or it waits for another run of its task.
        return rest if rest > timedelta(0) else SHORTEST

    def _supersede(self, run_id: RunId) -> None:
        """A run that came back to the worker that lost it: its former attempt ends."""
        for held in self._held.values():
            if held.lease.run_id == run_id:
                held.scope.cancel()

    async def _claim(self, free: int) -> Sequence[ClaimedRun]:
        # A cancel between the commit and the answer would strand the runs until their lease ends.
        claimed: list[ClaimedRun] = []
        with CancelScope(shield=True):
            claimed += await self._queue.claim(self._process, limit=free, lease_for=self._lease_for)
        return claimed

    async def _attempt(self, claimed: ClaimedRun, held: _Held) -> None:
        outcome: Outcome | None = Released()
        try:
            with held.scope:
                held.scope.deadline = held.deadline
                outcome = await self._execute(claimed)
            if held.scope.cancelled_caught:
                outcome = Cancelled(held.cancelled) if held.cancelled else None
        except LeaseLost:
            outcome = None
        except Exception:
            # Its own fault or ours: it must not take its neighbours down, nor come back for ever.
            log.exception("%s: the attempt crashed", run_name(held.lease.run_id))
            outcome = Failed(CRASHED)
        finally:
            with anyio.move_on_after(SETTLE_WITHIN.total_seconds(), shield=True) as settling:
                await self._settle(held.lease, outcome)
            if settling.cancelled_caught:
                log.warning("%s is left to the reaper", run_name(held.lease.run_id))
            del self._held[held.lease]
            self.doorbell.ring()

    async def _heed(self, cancels: CancelStore) -> None:
        """End the runs that somebody wants ended."""
        while True:
            await self.cancel_bell.wait(self._lease_for / 3)
            with suppress(Unavailable):  # the next look tells the same
                wanted = await cancels.wanted(self._process)
                for lease, held in list(self._held.items()):
                    if reason := wanted.get(lease.run_id):
                        held.cancelled = reason
                        held.scope.cancel()

    async def _keep_leases(self) -> None:
        """Renew at each third of the lease; an attempt's deadline is its lease's end."""
        while True:
            await anyio.sleep(self._lease_for.total_seconds() / 3)
            held = [held for held in self._held.values() if not held.scope.cancel_called]
            if held:
                with suppress(Unavailable):  # two more tries fit inside the lease
                    await self._renew(held)

    async def _renew(self, leased: Sequence[_Held]) -> None:
        deadline = anyio.current_time() + self._lease_for.total_seconds()
        leases = [held.lease for held in leased]
        lost = await self._queue.renew(self._process, leases, lease_for=self._lease_for)
        for held in leased:
            if held.lease.run_id in lost:
                held.scope.cancel()
            else:
                held.deadline = held.scope.deadline = deadline

    async def _settle(self, lease: Lease, outcome: Outcome | None) -> None:
        name = run_name(lease.run_id)
        if outcome is None:
            log.warning(
                "%s, epoch %d: the lease was lost; its result is dropped", name, lease.epoch
            )
            return
        if not await persisted(lambda: self._queue.settle(lease, outcome)):
            log.warning("%s, epoch %d: settled by nobody, the lease was lost", name, lease.epoch)
            return
        log.info("run settled", extra={"run": name, "outcome": type(outcome).__name__.lower()})
