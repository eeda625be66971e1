"""A worker over the queue in memory, whose attempts wait until a test lets them finish."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from ordinaut_mcp.domain.run import ClaimedRun, Outcome, ProcessId, RunId, Succeeded
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.worker import Worker
from tests.doubles.memory_queue import MemoryCancels, MemoryQueue

PROCESS = ProcessId(1)
SHORT = timedelta(milliseconds=30)


class Attempts:
    """Executes runs as a test lets it: each attempt waits until it may finish."""

    def __init__(self) -> None:
        self.begun: list[RunId] = []
        self.interrupted: list[RunId] = []
        self.most_at_once = 0
        self.may_finish = anyio.Event()
        self._at_once = 0
        self._news = anyio.Condition()

    async def __call__(self, claimed: ClaimedRun) -> Outcome:
        self.begun.append(claimed.lease.run_id)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        async with self._news:
            self._news.notify_all()
        try:
            await self.may_finish.wait()
        except anyio.get_cancelled_exc_class():
            self.interrupted.append(claimed.lease.run_id)
            raise
        finally:
            self._at_once -= 1
        return Succeeded("done")

    async def until_begun(self, number: int) -> None:
        """Wait until so many attempts have begun."""
        async with self._news:
            while len(self.begun) < number:
                await self._news.wait()


@asynccontextmanager
async def working(worker: Worker, clockwork: Clockwork) -> AsyncGenerator[anyio.CancelScope, None]:
    """The worker at work; on leaving it is stopped and waited for."""
    with anyio.fail_after(5), clockwork.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            yield tasks.cancel_scope
            worker.stop()


def a_worker(
    queue: MemoryQueue,
    execute: Callable[[ClaimedRun], Awaitable[Outcome]],
    *,
    slots: int = 16,
    lease_for: timedelta = timedelta(seconds=30),
    cancels: MemoryCancels | None = None,
) -> tuple[Worker, Clockwork]:
    clockwork = Clockwork()
    worker = Worker(
        PROCESS, queue, execute, clockwork, slots=slots, lease_for=lease_for, cancels=cancels
    )
    return worker, clockwork


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await anyio.lowlevel.checkpoint()
