"""The scheduler: turns due slots into runs, and sleeps until the next one is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from anyio.lowlevel import checkpoint

from ordinaut_mcp.clock import utc_now
from ordinaut_mcp.domain.decision import Accounted, DueTask, Recomputed, StaleTask
from ordinaut_mcp.domain.foresight import Foresight
from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.rezone import recompute
from ordinaut_mcp.domain.rings import CANCELS, WORK
from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import Bell, SlotStore
from ordinaut_mcp.runtime.clockwork import Clockwork, Ring
from ordinaut_mcp.runtime.doorbell import Doorbell
from ordinaut_mcp.runtime.persistence import persisted

log = logging.getLogger(__name__)

BATCH = 500
HORIZON = timedelta(seconds=5)
"""So far ahead slots are computed, so that many in one moment start in time."""
LOOK_EVERY = 1.0
AT_A_STRETCH = 0.02
"""Seconds of computing ahead before the event loop gets its turn."""
SWEEP = timedelta(seconds=10)
"""However quiet it is, the truth is looked at so often."""
AFTER_TROUBLE = timedelta(seconds=1)
SHORTEST = timedelta(milliseconds=50)
"""The rest when what is due is locked: another scheduler has it, or an edit, which rings."""


class Scheduler:
    """Accounts for every slot that is due. Any number of them may run on one database."""

    def __init__(
        self, slots: SlotStore, clockwork: Clockwork, *, on_runs: Ring, bell: Bell | None = None
    ) -> None:
        self._slots = slots
        self._clockwork = clockwork
        self._on_runs = on_runs
        self._bell = bell
        self._ends_runs = False
        self._foresight = Foresight()
        self._foreseen_to: DueTask | None = None
        self._next_look = 0.0
        self.doorbell = Doorbell()
        """Ring it when a task was made or changed."""

    async def run(self) -> None:
        """Work until cancelled."""
        await self._rezone()
        while True:
            rest = await self._tick()
            if rest > timedelta(0):
                rest = await self._look_ahead(rest)
                self._clockwork.once_in(rest, self.doorbell.ring, name="next slot")
                await self.doorbell.wait(SWEEP)

    async def _rezone(self) -> None:
        """What another release of tzdata computed is computed anew, before anything fires."""
        count = BATCH
        while count == BATCH:
            count = await persisted(
                lambda: self._slots.rezone(_recomputed, tz_version=TZDATA_VERSION, limit=BATCH)
            )
            if count:
                log.info("%d tasks were computed anew with tzdata %s", count, TZDATA_VERSION)

    async def _tick(self) -> timedelta:
        """Take what is due; how long nothing will be due, zero: there may be more."""
        try:
            self._ends_runs = False
            due = await self._slots.materialise(self._account, limit=BATCH)
            if due:
                await self._tell()
                return timedelta(0)
            rest = await self._slots.next_due_in()
        except Unavailable:
            log.warning("no slots were looked at: the database did not answer")
            return AFTER_TROUBLE
        if rest is None:
            return SWEEP
        return rest if rest > timedelta(0) else SHORTEST

    async def _look_ahead(self, rest: timedelta) -> timedelta:
        """Use the rest to compute what comes next; what is left of it, or until the next look."""
        if rest > HORIZON:
            return rest - HORIZON
        began = time.monotonic()
        until = began + rest.total_seconds()
        with suppress(Unavailable):
            while time.monotonic() < until and time.monotonic() >= self._next_look:
                coming = await self._slots.ahead(
                    within=HORIZON, beyond=self._foreseen_to, limit=BATCH
                )
                await self._foresee(coming, until)
                if len(coming) < BATCH:
                    self._next_look = time.monotonic() + LOOK_EVERY
                    self._foresight.forget(utc_now())
        return max(timedelta(0), rest - timedelta(seconds=time.monotonic() - began))

    async def _foresee(self, coming: Sequence[DueTask], until: float) -> None:
        since = time.monotonic()
        for task in coming:
            self._foresight.look(task)
            self._foreseen_to = task
            if time.monotonic() - since > AT_A_STRETCH:
                await checkpoint()
                since = time.monotonic()
                if since > until:
                    return  # something is due

    def _account(self, task: DueTask, now: datetime) -> Accounted:
        accounted = _guarded(task, now, self._foresight)
        self._ends_runs = self._ends_runs or accounted.ends_older_runs
        return accounted

    async def _tell(self) -> None:
        """Wake the workers: those in this process at once, the others by the bell."""
        self._on_runs()
        if self._bell is not None:
            await self._bell.ring(WORK)
            if self._ends_runs:
                await self._bell.ring(CANCELS)


def _guarded(task: DueTask, now: datetime, foresight: Foresight) -> Accounted:
    """One task that cannot be computed is paused, visibly; its neighbours go on."""
    try:
        return account_for(task, now, foresight)
    except Exception as error:
        log.exception("task %s cannot be computed and is paused", task.id)
        return Accounted(
            next_run_at=task.next_run_at,
            status=TaskStatus.PAUSED,
            note=_note(error),
            tz_version=TZDATA_VERSION,
        )


def _recomputed(task: StaleTask) -> Recomputed:
    try:
        return recompute(task)
    except Exception as error:
        log.exception("task %s cannot be computed anew and is paused", task.id)
        return Recomputed(next_run_at=task.next_run_at, status=TaskStatus.PAUSED, note=_note(error))


def _note(error: Exception) -> str:
    return f"Paused by Ordinaut: its schedule cannot be computed ({error}). Update it."
