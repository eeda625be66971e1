"""The worker: claims due runs and executes each inside its lease."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import anyio
from anyio import CancelScope, Semaphore
from anyio.abc import TaskGroup

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    Lease,
    Outcome,
    ProcessId,
    Released,
    Settlement,
    run_name,
)
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import CancelStore, RunQueue
from ordinaut_mcp.runtime.backlog import PATIENCE, Backlog
from ordinaut_mcp.runtime.batches import LANES
from ordinaut_mcp.runtime.clockwork import Clockwork, Ring
from ordinaut_mcp.runtime.doorbell import Doorbell
from ordinaut_mcp.runtime.executor import Attempt
from ordinaut_mcp.runtime.leases import Held, Leases
from ordinaut_mcp.runtime.persistence import LeaseLost
from ordinaut_mcp.runtime.settling import CRASHED, Settling

log = logging.getLogger(__name__)

Begin = Callable[[ClaimedRun, Callable[[], bool]], Attempt]
"""Begins one attempt; the second argument says whether its lease is still held."""

SETTLE_WITHIN = timedelta(seconds=5)
SWEEP = timedelta(seconds=5)
AFTER_TROUBLE = timedelta(seconds=1)
SHORTEST = timedelta(milliseconds=100)
"""The rest when something is due that cannot be claimed just now: no busy polling."""
MOST_AT_ONCE = 500
"""So many runs are claimed at once while all that are claimed only compute."""
PLENTY = 250
"""From so many on it is worth to have a second claim on its way."""
AT_A_STRETCH = 0.05
"""Seconds of computing before what is done is settled and the event loop gets its turn."""


class Worker:
    """Claims due runs and executes each inside its lease.

    Runs whose steps only compute are carried out and settled in the batch that they were claimed
    in; the others get a slot each.

    It stops in one of two ways. `stop()` ends the claiming and lets attempts finish.
    Cancelling `run()` interrupts them, and each gives its run back uncounted, so that another
    worker can claim it at once. A worker that dies does neither: its leases expire, and the
    reaper gives the runs back.
    """

    def __init__(
        self,
        process: ProcessId,
        queue: RunQueue,
        begin: Begin,
        clockwork: Clockwork,
        *,
        slots: int = 16,
        lease_for: timedelta = timedelta(seconds=30),
        cancels: CancelStore | None = None,
        on_settled: Ring | None = None,
    ) -> None:
        self._process = process
        self._queue = queue
        self._begin = begin
        self._clockwork = clockwork
        self._slots = slots
        self._lease_for = lease_for
        self._at_once = slots
        self._busy = 0
        self._backlog = Backlog(slots)
        self._stopping = False
        self._cancels = cancels
        self._on_settled = on_settled
        self._settling = Settling(queue)
        self._lanes = Semaphore(LANES)
        self._plenty = Doorbell()
        self.leases = Leases()
        """What the heartbeat keeps."""
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
            if self._cancels is not None:
                whole.start_soon(self._heed, self._cancels)
            async with anyio.create_task_group() as attempts:
                attempts.start_soon(self._claim_beside, attempts)
                try:
                    await self._claim_until_stopped(attempts)
                finally:
                    # From here on nothing is claimed ahead, also by a claim that is on its way.
                    self._stopping = True
                    self._plenty.ring()
                    await self._give_back(self._backlog.impatient(after=0), attempts)
            whole.cancel_scope.cancel()

    async def _claim_until_stopped(self, attempts: TaskGroup) -> None:
        while not self._stopping:
            await self._give_back(self._backlog.impatient(), attempts)
            rest = await self._claim_into(attempts)
            if rest > timedelta(0) and not self._stopping:
                self._clockwork.once_in(rest, self.doorbell.ring, name=f"run {id(self)}")
                await self.doorbell.wait(SWEEP)

    async def _claim_beside(self, attempts: TaskGroup) -> None:
        """While one batch computes, the database looks for the next one."""
        while not self._stopping:
            await self._plenty.wait(SWEEP)
            while self._at_once >= PLENTY and not self._stopping:
                if await self._claim_into(attempts) > timedelta(0):
                    break

    async def _claim_into(self, attempts: TaskGroup) -> timedelta:
        """Start what is due; how long nothing will be, zero: there may be more."""
        room = self._slots - self._busy + self._backlog.room
        if room <= len(self._backlog):
            # Nothing is free, or what was claimed ahead lasts for a while.
            return PATIENCE if len(self._backlog) else SWEEP
        # Counted from before the question, so that our view of a lease never outlives it.
        deadline = time.monotonic() + self._lease_for.total_seconds()
        limit = max(room, self._at_once)
        try:
            claimed = await self._claim(limit)
            if claimed:
                await self._start(claimed, deadline, attempts)
                self._at_once = self._next_limit(limit, len(claimed))
                if self._at_once >= PLENTY:
                    self._plenty.ring()
                return timedelta(0)
            rest = await self._queue.next_due_in()
        except Unavailable:
            log.warning("claimed nothing: the database did not answer")
            return AFTER_TROUBLE
        if rest is None:
            return SWEEP
        # Due and yet not claimed: locked by another, or it waits for another run of its task.
        return rest if rest > timedelta(0) else SHORTEST

    def _next_limit(self, limit: int, claimed: int) -> int:
        """Grows while everything that is claimed only computes, and there is more of it."""
        if self._busy:
            return self._slots
        if claimed == limit:
            return min(MOST_AT_ONCE, limit * 4)
        return max(self._slots, limit // 2)

    async def _claim(self, limit: int) -> Sequence[ClaimedRun]:
        # A cancel between the commit and the answer would strand the runs until their lease ends.
        claimed: list[ClaimedRun] = []
        with CancelScope(shield=True):
            claimed += await self._queue.claim(
                self._process, limit=limit, lease_for=self._lease_for
            )
        return claimed

    async def _start(
        self, claimed: Sequence[ClaimedRun], deadline: float, attempts: TaskGroup
    ) -> None:
        """Compute what only computes; what has to wait gets a slot, or goes back."""
        done: list[Settlement] = []
        since = time.monotonic()
        for run in claimed:
            self._supersede(run)
        # All of them at once: the heartbeat keeps also those whose turn is late.
        taken = [self.leases.take(run.lease, deadline) for run in claimed]
        for run, held in zip(claimed, taken, strict=True):
            attempt = self._begin(run, held.is_held)
            outcome = _computed(run, attempt)
            if outcome is None and self._busy < self._slots:
                self._busy += 1
                attempts.start_soon(self._attempt, attempt, held, attempts)
                continue
            if outcome is None and self._backlog.room and not self._stopping:
                self._backlog.put(attempt, held)
                continue
            done.append(Settlement(run.lease, outcome or Released(), attempt.lines))
            if time.monotonic() - since > AT_A_STRETCH:
                await self._hand_in(done, attempts)
                done, since = [], time.monotonic()
        if done:
            await self._hand_in(done, attempts)

    async def _give_back(
        self, waiting: Sequence[tuple[Attempt, Held]], attempts: TaskGroup
    ) -> None:
        """What was claimed ahead in vain: another worker may have a slot for it."""
        if waiting:
            back = [Settlement(held.lease, Released(), attempt.lines) for attempt, held in waiting]
            await self._hand_in(back, attempts)

    async def _hand_in(self, done: Sequence[Settlement], attempts: TaskGroup) -> None:
        """Have these settled beside the next claim; no more than two batches are on their way."""
        with CancelScope(shield=True):  # they are computed: a cancel must not lose them
            await self._lanes.acquire()
        attempts.start_soon(self._settle_all, done)

    async def _settle_all(self, done: Sequence[Settlement]) -> None:
        lost: set[Lease] | None = None
        try:
            with anyio.move_on_after(SETTLE_WITHIN.total_seconds(), shield=True):
                lost = await self._settling.many(done)
            if lost is None:
                log.warning("%d runs are left to the reaper", len(done))
            self._tell_settled()
            for lease in lost or ():
                _tell_lost(lease)
        finally:
            self.leases.drop([one.lease for one in done])
            self._lanes.release()

    def _tell_settled(self) -> None:
        if self._on_settled is not None:
            self._on_settled()

    def _supersede(self, run: ClaimedRun) -> None:
        """A run that came back to the worker that lost it: its former attempt ends."""
        if run.lease.epoch > 1:
            for held in self.leases.of(run.lease.run_id):
                held.end()

    async def _attempt(self, attempt: Attempt, held: Held, attempts: TaskGroup) -> None:
        began = time.monotonic()
        outcome: Outcome | None = Released()
        held.scope = scope = CancelScope(deadline=held.deadline)
        try:
            with scope:
                wanted = held.cancelled is None
                outcome = await attempt.carry_out() if wanted else Cancelled(held.cancelled or "")
            if scope.cancelled_caught:
                outcome = Cancelled(held.cancelled) if held.cancelled else None
        except LeaseLost:
            outcome = None
        except Exception:
            # Its own fault or ours: it must not take its neighbours down, nor come back for ever.
            log.exception("%s: the attempt crashed", run_name(held.lease.run_id))
            outcome = Failed(CRASHED)
        finally:
            with anyio.move_on_after(SETTLE_WITHIN.total_seconds(), shield=True) as settling:
                await self._settle(held, outcome, attempt)
            if settling.cancelled_caught:
                log.warning("%s is left to the reaper", run_name(held.lease.run_id))
            self.leases.drop([held.lease])
            self._backlog.took(time.monotonic() - began)
            self._next(attempts)

    def _next(self, attempts: TaskGroup) -> None:
        """A slot is free: for what waits here, else for what the database has."""
        self.leases.drop(self._backlog.lost())
        following = None if self._stopping else self._backlog.take()
        if following is None:
            self._busy -= 1
        else:
            attempts.start_soon(self._attempt, *following, attempts)
        self.doorbell.ring()

    async def _heed(self, cancels: CancelStore) -> None:
        """End the runs that somebody wants ended."""
        while True:
            await self.cancel_bell.wait(self._lease_for / 3)
            with suppress(Unavailable):  # the next look tells the same
                wanted = await cancels.wanted(self._process)
                for held in self.leases.all():
                    if reason := wanted.get(held.lease.run_id):
                        held.cancelled = reason
                        held.end()

    async def _settle(self, held: Held, outcome: Outcome | None, attempt: Attempt) -> None:
        lease, name = held.lease, run_name(held.lease.run_id)
        if outcome is None:
            log.warning(
                "%s, epoch %d: the lease was lost; its result is dropped", name, lease.epoch
            )
            return
        settlement = Settlement(lease, outcome, attempt.lines)
        if not await self._settling.one(settlement):
            _tell_lost(lease)
            return
        self._tell_settled()
        log.info("run settled", extra={"run": name, "outcome": type(outcome).__name__.lower()})


def _computed(run: ClaimedRun, attempt: Attempt) -> Outcome | None:
    try:
        return attempt.compute()
    except Exception:
        # Its own fault or ours: it must not take its neighbours down, nor come back for ever.
        log.exception("%s: the attempt crashed", run_name(run.lease.run_id))
        return Failed(CRASHED)


def _tell_lost(lease: Lease) -> None:
    name = run_name(lease.run_id)
    log.warning("%s, epoch %d: settled by nobody, the lease was lost", name, lease.epoch)
