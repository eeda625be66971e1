"""Schedulers as a runtime runs them; tests wait for them by events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.slots import PostgresSlots

PATIENCE = 30


class WatchedSlots(PostgresSlots):
    """Real slots that say when a scheduler has found nothing more to do."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.quiet = anyio.Event()
        self.ended = anyio.Event()

    async def next_due_in(self) -> timedelta | None:
        """As it is; nothing due right now makes it quiet, nothing to come at all ends it."""
        rest = await super().next_due_in()
        if rest is None:
            self.ended.set()
        if rest is None or rest > timedelta(0):
            self.quiet.set()
        return rest


class Running:
    """One scheduler that runs."""

    def __init__(self, pool: Pool) -> None:
        self._slots = WatchedSlots(pool)
        self._clockwork = Clockwork()
        self._scheduler = Scheduler(self._slots, self._clockwork, on_runs=lambda: None)

    async def run(self) -> None:
        """Work until cancelled."""
        with self._clockwork.running():
            await self._scheduler.run()

    async def quiet(self) -> None:
        """It has accounted for everything that is due."""
        with anyio.fail_after(PATIENCE):
            await self._slots.quiet.wait()

    async def ended(self) -> None:
        """No task has a slot to come."""
        with anyio.fail_after(PATIENCE):
            await self._slots.ended.wait()

    def wake(self) -> None:
        """Ring it, as after every change of a task."""
        self._slots.quiet = anyio.Event()
        self._scheduler.doorbell.ring()

    async def look(self) -> None:
        """Wake it, and wait until it rests again."""
        self.wake()
        await self.quiet()


@asynccontextmanager
async def scheduling(pool: Pool) -> AsyncGenerator[Running, None]:
    """A scheduler that runs until the end of the block."""
    async with schedulers(pool, 1) as (one,):
        yield one


@asynccontextmanager
async def schedulers(pool: Pool, count: int) -> AsyncGenerator[list[Running], None]:
    """So many schedulers side by side."""
    running = [Running(pool) for _ in range(count)]
    async with anyio.create_task_group() as group:
        for one in running:
            group.start_soon(one.run)
        yield running
        group.cancel_scope.cancel()
