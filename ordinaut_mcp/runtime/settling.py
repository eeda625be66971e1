"""Settling attempts: together where it can be, each alone where one of them cannot be stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ordinaut_mcp.domain.run import Failed, Lease, Settlement, run_name
from ordinaut_mcp.ports import RunQueue
from ordinaut_mcp.runtime.batches import Batches
from ordinaut_mcp.runtime.persistence import persisted

log = logging.getLogger(__name__)

CRASHED = {
    "code": "internal_error",
    "message": "Something went wrong inside Ordinaut; the log has the details.",
    "hint": "get_run shows how far it came; retry_run sends it again.",
}


class Settling:
    """Writes how attempts ended. What nobody can store ends as a dead letter, not as a crash.

    A database that is away is waited for: callers bound the time.
    """

    def __init__(self, queue: RunQueue) -> None:
        self._queue = queue
        self._batches = Batches(queue.settle)

    async def one(self, settlement: Settlement) -> bool:
        """Settle one attempt, together with those that end meanwhile; False: the lease is lost."""
        try:
            return await persisted(lambda: self._batches.submit(settlement))
        except Exception:
            log.exception("%s: its end cannot be stored", run_name(settlement.lease.run_id))
            return await self._as_crash(settlement)

    async def many(self, done: Sequence[Settlement]) -> set[Lease]:
        """Settle these in one write; the leases that are lost."""
        try:
            return await persisted(lambda: self._queue.settle(done))
        except Exception:
            log.exception("%d runs could not be settled together", len(done))
        return {one.lease for one in done if not await self._alone(one)}

    async def _alone(self, settlement: Settlement) -> bool:
        try:
            return not await persisted(lambda: self._queue.settle([settlement]))
        except Exception:
            log.exception("%s: its end cannot be stored", run_name(settlement.lease.run_id))
            return await self._as_crash(settlement)

    async def _as_crash(self, settlement: Settlement) -> bool:
        crashed = Settlement(settlement.lease, Failed(CRASHED))
        try:
            return not await persisted(lambda: self._queue.settle([crashed]))
        except Exception:
            log.exception("%s is left to the reaper", run_name(settlement.lease.run_id))
            return False
