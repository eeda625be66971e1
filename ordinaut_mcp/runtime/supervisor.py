"""The supervisor: one task group owns all loops of a process, and stops them in order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import ProcessStore
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.listener import Listener
from ordinaut_mcp.runtime.persistence import persisted
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.runtime.worker import Worker

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=10)
"""How long runs under way may go on after a stop was asked; then they are given back."""
LAST_WORDS = timedelta(seconds=2)

Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """What one process does. `before` must be up before anything else and down after all."""

    before: Sequence[Callable[..., Coroutine[Any, Any, None]]] = ()
    scheduler: Scheduler | None = None
    worker: Worker | None = None
    duties: Sequence[Duty] = ()
    listener: Listener | None = None


class Supervisor:
    """Runs the loops until it is asked to stop, then lets what runs finish."""

    def __init__(
        self,
        process: ProcessId,
        processes: ProcessStore,
        clockwork: Clockwork,
        loops: Loops,
        *,
        grace: timedelta = GRACE,
    ) -> None:
        self._process = process
        self._processes = processes
        self._clockwork = clockwork
        self._loops = loops
        self._grace = grace
        self._stop = anyio.Event()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the work is done or the grace is over."""
        self._stop.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run all loops; started when each of them is on its way."""
        with self._clockwork.running():
            async with anyio.create_task_group() as whole:
                for loop in self._loops.before:
                    await whole.start(loop)
                await self._work(whole, task_status)
                whole.cancel_scope.cancel()
        with anyio.move_on_after(LAST_WORDS.total_seconds(), shield=True):
            await self._leave()

    async def _work(self, whole: TaskGroup, task_status: TaskStatus[None]) -> None:
        loops, done = self._loops, anyio.Event()
        async with anyio.create_task_group() as working:
            if loops.worker is not None:
                working.start_soon(_until_done, loops.worker.run, done)
            else:
                done.set()
            if loops.scheduler is not None:
                whole.start_soon(loops.scheduler.run)
            if loops.listener is not None:
                whole.start_soon(loops.listener.run)
            for duty in loops.duties:
                whole.start_soon(duty.run, self._clockwork)
            task_status.started()
            await self._stop.wait()
            await self._drain(done)
            working.cancel_scope.cancel()

    async def _drain(self, done: anyio.Event) -> None:
        if self._loops.worker is not None:
            self._loops.worker.stop()
        with anyio.move_on_after(self._grace.total_seconds()) as grace:
            await done.wait()
        if grace.cancelled_caught:
            log.warning("the grace is over: runs under way are given back")

    async def _leave(self) -> None:
        try:
            await self._processes.leave(self._process)
        except Unavailable:
            log.warning("could not say goodbye: the database did not answer")


async def registered(
    processes: ProcessStore, *, roles: Sequence[str], version: str, tzdata: str
) -> ProcessId:
    """A new id of this process, as soon as the database answers."""
    return await persisted(lambda: processes.register(roles=roles, version=version, tzdata=tzdata))


async def _until_done(loop: Loop, done: anyio.Event) -> None:
    try:
        await loop()
    finally:
        done.set()
