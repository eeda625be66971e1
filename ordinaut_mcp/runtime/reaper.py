"""The reaper: gives expired leases back to the queue, or to the dead letters."""

from __future__ import annotations

import logging
from datetime import timedelta

from ordinaut_mcp.ports import RunQueue
from ordinaut_mcp.runtime.clockwork import Ring
from ordinaut_mcp.runtime.duty import Duty

log = logging.getLogger(__name__)

CRASHES_ALLOWED = 3
"""So many crashes of a worker on one run make a dead letter: a poisoned run must not loop."""


def reaper(queue: RunQueue, *, every: timedelta, on_returned: Ring) -> Duty:
    """The duty of looking for leases that expired. Any number of them may run on one database."""

    async def reap() -> None:
        if returned := await queue.reap(crashes_allowed=CRASHES_ALLOWED):
            log.warning("%d runs were taken back from workers that are gone", returned)
            on_returned()

    return Duty("reaper", reap, every=every)
