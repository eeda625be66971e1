"""10,000 tasks due in one second: how long after it the last of them starts."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import anyio
import stored
from children import living, runtime, until
from harness import Finding, Goal, Ground
from questions import Connection, connect, one
from stations import new_home

ROW = "burst"
LAST: Final[LiteralString] = """
    SELECT count(*), extract(epoch FROM max(s.started_at) - %(due)s)::float8
    FROM ordinaut.step s
"""


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Some rounds, each in a database of its own."""
    tasks = ground.size(10_000, 500)
    found = ground.repeated(lambda: last_start(ground, tasks), times=ground.size(3, 1))
    yield Finding(
        row=ROW, figure=f"last start of {tasks} tasks due in one second", unit="s", ours=found,
        goal=Goal(2, "at most", "ours"), remark="scheduler and worker in one process",
    )  # fmt: skip


def last_start(ground: Ground, tasks: int) -> float:
    """Seconds from the due instant to the start of the last first step."""
    home = new_home(ground.server.folder)
    with ground.server.database() as url, connect(url) as connection:
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=ground.size(12, 8))
        request = {"schedule_expr": due.isoformat(), "pipeline": [stored.NO_OP]}
        stored.copy(url, anyio.run(stored.scheduled, url, request), tasks - 1)
        with runtime(url, home, roles="scheduler,worker") as started:
            wait = ground.size(120, 40)
            look = living(started, lambda: _last(connection, due, tasks))
            return until(look, seconds=wait, every=0.2, what="the last start")


def _last(connection: Connection, due: datetime, tasks: int) -> float | None:
    steps, last = one(connection, LAST, due=due)
    return last if steps >= tasks else None
