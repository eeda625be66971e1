"""Attempts that only compute, and a queue that says how it was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import anyio

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    JournalLine,
    Lease,
    Outcome,
    ProcessId,
    RunId,
    Settlement,
    Succeeded,
)
from tests.doubles.memory_queue import MemoryQueue


class CountingQueue(MemoryQueue):
    """Remembers how many runs were asked for, and how many were settled together."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []
        self.batches: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.answers = anyio.Event()
        """Settlements wait for it."""
        self.answers.set()

    def add_many(self, number: int) -> list[RunId]:
        """So many runs, each of a task of its own."""
        before = len(self.works)
        return [self.add(task_id=before + n + 1) for n in range(number)]

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        self.limits.append(limit)
        return await super().claim(process, limit=limit, lease_for=lease_for)

    async def settle(self, batch: Sequence[Settlement]) -> set[Lease]:
        self.batches.append(len(batch))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.answers.wait()
        lost = await super().settle(batch)
        self.at_once -= 1
        return lost


class Computes:
    """An attempt that has its outcome at once."""

    def __init__(self, compute: Callable[[], Outcome]) -> None:
        self.compute = compute
        self.lines: list[JournalLine] = []

    async def carry_out(self) -> Outcome:
        raise AssertionError("it has nothing to wait for")


def at_once(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
    """Every attempt succeeds at once."""
    del is_held
    return Computes(lambda: Succeeded(claimed.lease.run_id))


def compute_for(span: timedelta) -> None:
    """Keep the event loop busy."""
    end = time.monotonic() + span.total_seconds()
    while time.monotonic() < end:
        pass
