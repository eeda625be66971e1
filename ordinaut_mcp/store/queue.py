"""The queue in PostgreSQL: claims, leases and their fences.

Every write after the claim is guarded by (run, epoch, running). Zero rows: the lease was lost,
and what the former holder wanted to write is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    JournalEntry,
    Lease,
    ProcessId,
    Settlement,
    Succeeded,
)
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.store import breaker, claims, journal, reaping, settlement
from ordinaut_mcp.store.pool import Pool, connected, row, transaction


class PostgresQueue:
    """The `RunQueue` port over PostgreSQL."""

    def __init__(self, pool: Pool, *, failures_allowed: int | None = None) -> None:
        self._pool = pool
        self._failures_allowed = failures_allowed
        self._claims = claims.Claims()

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        """Lease up to `limit` due runs to the process, the highest priority first."""
        async with connected(self._pool) as connection:
            return await self._claims.claim(connection, process, limit=limit, lease_for=lease_for)

    async def next_due_in(self) -> timedelta | None:
        """Until the next queued run is due by the database's clock; None: nothing is queued."""
        async with connected(self._pool) as connection:
            found = await row(connection, claims.NEXT)
        return found["wait"] if found else None

    async def settle(self, batch: Sequence[Settlement]) -> set[Lease]:
        """Record how attempts ended, all or none; the leases that are no longer held."""
        together = transaction if any(map(_takes_two, batch)) else connected
        async with together(self._pool) as connection:
            lost = await settlement.settle(connection, batch)
        await self._trip([one.lease for one in batch if _is_dead(one) and one.lease not in lost])
        return lost

    async def _trip(self, failed: Sequence[Lease]) -> None:
        """Beside the settlement, whose locks must not wait for a task's; a crash costs one look."""
        if self._failures_allowed is None or not failed:
            return
        with suppress(Unavailable):  # the next failure looks again
            async with connected(self._pool) as connection:
                await breaker.trip(
                    connection,
                    [lease.run_id for lease in failed],
                    allowed=self._failures_allowed,
                )

    async def journal(self, entries: Sequence[JournalEntry]) -> set[Lease]:
        """Write lines of the journal, all or none; the leases that are no longer held."""
        async with connected(self._pool) as connection:
            return await journal.write(connection, entries)

    async def cut_off(self) -> set[ProcessId]:
        """The processes with running runs whose connection the database has seen end."""
        async with connected(self._pool) as connection:
            return await reaping.cut_off(connection)

    async def reap(self, *, crashes_allowed: int, gone: Collection[ProcessId] = ()) -> int:
        """Return leases that expired, or whose process is gone, to the queue or the dead letters.

        How many it were.
        """
        async with transaction(self._pool) as connection:
            return await reaping.reap(connection, crashes_allowed=crashes_allowed, gone=gone)


def _is_dead(one: Settlement) -> bool:
    return isinstance(one.outcome, Failed) and one.outcome.retry_in_seconds is None


def _takes_two(one: Settlement) -> bool:
    """Whether more than the one statement of finished runs is needed."""
    match one.outcome:
        case Succeeded() | Failed(retry_in_seconds=None):
            return False
        case Cancelled() | _:
            return True
