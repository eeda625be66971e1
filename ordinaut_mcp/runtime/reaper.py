"""The reaper: takes runs back from workers that are gone."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from ordinaut_mcp.domain.rings import WORK
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.ports import Bell, RunQueue
from ordinaut_mcp.runtime.clockwork import Ring
from ordinaut_mcp.runtime.duty import Duty

log = logging.getLogger(__name__)

CRASHES_ALLOWED = 3
"""So many crashes of a worker on one run make a dead letter: a poisoned run must not loop."""
LOOK = timedelta(milliseconds=500)
GRACE = timedelta(seconds=1.5)
"""A heartbeat that lost its connection is back within this, when its process lives."""


class Reaper:
    """Looks for leases that expired, and for processes whose connection has ended.

    Any number of them may run on one database.
    """

    def __init__(
        self, queue: RunQueue, *, every: timedelta, on_returned: Ring, bell: Bell | None = None
    ) -> None:
        self._queue = queue
        self._every = every.total_seconds()
        self._on_returned = on_returned
        self._bell = bell
        self._cut_off_since: dict[ProcessId, float] = {}
        self._next_sweep = 0.0

    def duty(self) -> Duty:
        """The look, again and again."""
        return Duty("reaper", self.look, every=LOOK)

    async def look(self) -> None:
        """Take back what is known to be lost."""
        now = time.monotonic()
        gone = await self._gone(now)
        if not gone and now < self._next_sweep:
            return
        self._next_sweep = now + self._every
        if returned := await self._queue.reap(crashes_allowed=CRASHES_ALLOWED, gone=gone):
            log.warning("%d runs were taken back from workers that are gone", returned)
            self._on_returned()
            if self._bell is not None:
                await self._bell.ring(WORK)

    async def _gone(self, now: float) -> set[ProcessId]:
        cut_off = await self._queue.cut_off()
        self._cut_off_since = {
            process: self._cut_off_since.get(process, now) for process in cut_off
        }
        return {
            process
            for process, since in self._cut_off_since.items()
            if now - since >= GRACE.total_seconds()
        }
