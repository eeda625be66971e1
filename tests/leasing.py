"""What a worker does with one lease, one write at a time."""

from __future__ import annotations

import time

from ordinaut_mcp.domain.run import (
    JournalEntry,
    JournalLine,
    Lease,
    Outcome,
    Settlement,
    StepRecord,
)
from ordinaut_mcp.ports import RunQueue


async def settled(queue: RunQueue, lease: Lease, outcome: Outcome) -> bool:
    """Settle one attempt; False: the lease was lost."""
    return not await queue.settle([Settlement(lease, outcome)])


async def begun(queue: RunQueue, lease: Lease, step: StepRecord) -> bool:
    """Journal the intent of one call; False: the lease was lost."""
    return not await queue.journal([JournalEntry(lease, [JournalLine(step, time.monotonic())])])


async def finished(queue: RunQueue, lease: Lease, step: StepRecord) -> bool:
    """Journal the end of one step; False: the lease was lost."""
    now = time.monotonic()
    return not await queue.journal([JournalEntry(lease, [JournalLine(step, now, now)])])
