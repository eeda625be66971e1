"""The clock of the runtime's duties: APScheduler's asyncio scheduler, whose jobs only ring bells.

Nothing relies on its job stores or on its idea of cron; a bell that rings late or not at all
costs one poll of the loop that waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncIOScheduler,
)

from ordinaut_mcp.clock import utc_now

Ring = Callable[[], None]


class Clockwork:
    """Rings bells at intervals and at instants, inside the running event loop."""

    def __init__(self) -> None:
        scheduler: Any = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None}
        )
        self._scheduler = scheduler

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Tick inside this block."""
        self._scheduler.start()
        try:
            yield
        finally:
            self._scheduler.shutdown(wait=False)

    def every(self, span: timedelta, ring: Ring, *, name: str) -> None:
        """Ring at this interval from now on."""
        self._scheduler.add_job(ring, "interval", seconds=span.total_seconds(), id=name)

    def once_in(self, span: timedelta, ring: Ring, *, name: str) -> None:
        """Ring once after this span; a later call with the same name takes its place."""
        at = utc_now() + max(span, timedelta(0))
        self._scheduler.add_job(ring, "date", run_date=at, id=name, replace_existing=True)
