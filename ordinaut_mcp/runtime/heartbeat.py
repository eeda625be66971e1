"""The heartbeat: says that the process is alive and keeps its leases, from a thread of its own.

A busy event loop delays everything but this. A process that is stopped stops here, too, and its
leases end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import LeaseKeeper
from ordinaut_mcp.runtime.leases import Leases

log = logging.getLogger(__name__)

BEAT = timedelta(seconds=5)
"""However long the lease is: others look whether the process is alive."""
AFTER_TROUBLE = timedelta(milliseconds=500)
LAST_BEAT = timedelta(seconds=3)


class Heartbeat:
    """Beats at each third of the lease, at least every five seconds."""

    def __init__(
        self, process: ProcessId, keeper: LeaseKeeper, leases: Leases, *, lease_for: timedelta
    ) -> None:
        self._process = process
        self._keeper = keeper
        self._leases = leases
        self._lease_for = lease_for
        self._stopping = Event()
        self._begun = Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Beat until cancelled; started after the first beat, or when it could not be made."""
        loop = asyncio.get_running_loop()
        thread = Thread(target=self._beat, args=(loop,), name="heartbeat", daemon=True)
        thread.start()
        try:
            await to_thread.run_sync(self._begun.wait, LAST_BEAT.total_seconds())
            task_status.started()
            await anyio.sleep_forever()
        finally:
            self._stopping.set()
            self._keeper.wake()
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(thread.join, LAST_BEAT.total_seconds())

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        rest = min(self._lease_for / 3, BEAT).total_seconds()
        again = min(self._lease_for / 6, AFTER_TROUBLE).total_seconds()
        try:
            while not self._stopping.is_set():
                is_heard = self._beat_once(loop)
                self._begun.set()
                self._keeper.rest(rest if is_heard else again)
        finally:
            self._keeper.close()

    def _beat_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        asked = [held.lease for held in self._leases.all()]
        # Counted from before the question, so that our view of a lease never outlives it.
        deadline = time.monotonic() + self._lease_for.total_seconds()
        try:
            lost = self._keeper.beat(self._process, asked, lease_for=self._lease_for)
        except Unavailable:
            return False
        except Exception:
            # The thread must not end: nobody else keeps the leases.
            log.exception("the heartbeat stumbled")
            return False
        if asked:
            self._leases.extend(lost, asked, deadline)
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                loop.call_soon_threadsafe(self._leases.heed)
        return True
