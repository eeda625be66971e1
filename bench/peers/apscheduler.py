"""APScheduler 3 with its SQLAlchemyJobStore on PostgreSQL and its pool of ten threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

from peers.child import Begun

PACKAGES: Final = ("apscheduler", "sqlalchemy", "psycopg")
LEFT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM apscheduler_jobs)"
SOON: Final = timedelta(days=1)
RAN: list[Callable[[], None]] = []
"""What a run calls here: the store keeps the name of a function, never the function."""


def install(url: str) -> None:
    """Its own table."""
    _scheduler(url).start(paused=True)


def add(url: str, runs: int) -> None:
    """Add one by one to a scheduler that is paused: there is no call for many."""
    scheduler = _scheduler(url)
    scheduler.start(paused=True)
    # Due in the past: the first look of the scheduler that works takes all of them.
    due = datetime.now(UTC) - timedelta(seconds=1)
    for number in range(runs):
        scheduler.add_job(
            "peers.apscheduler:nothing", "date", run_date=due, id=str(number),
            misfire_grace_time=None,
        )  # fmt: skip
    scheduler.shutdown(wait=False)


def work(url: str, begun: Begun, option: str) -> None:
    """Work until the process is ended."""
    del option
    RAN.append(begun)
    _scheduler(url).start()
    threading.Event().wait()


def nothing() -> None:
    """The no-op."""
    for told in RAN:
        told()


def _scheduler(url: str) -> Any:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    store = SQLAlchemyJobStore(url=url.replace("postgresql://", "postgresql+psycopg://", 1))
    return BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
