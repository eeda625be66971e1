"""Lateness, due instant → first step starts, with 200 runs a second over 100,000 stored tasks.

Two windows over one scheduler and worker process: all 200 due on the whole second, as crons are,
and the same tasks spread over the second by their jitter. Both clocks are the database's.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import anyio
import stored
from children import runtime
from harness import Finding, Goal, Ground, Spread
from questions import connect, one, until_up
from stations import new_home

ROW = "lateness"
A_SECOND = 200
WARM = 3
"""Seconds at the beginning that are not counted."""
FAR: Final = "in 3000 days"
LATE: Final[LiteralString] = """
    SELECT coalesce(percentile_cont(ARRAY[0.5, 0.99])
               WITHIN GROUP (ORDER BY extract(epoch FROM s.started_at - r.due_at) * 1000),
                    ARRAY[0, 0])::float8[], count(*)
    FROM ordinaut.run r
    JOIN ordinaut.step s ON s.run_id = r.id AND s.run_created_at = r.created_at
    WHERE r.kind = 'schedule' AND r.due_at >= %(begin)s AND r.due_at < %(end)s
"""


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Each way of falling due in a database of its own."""
    for words, jitter in (("on the whole second", 0), ("spread over the second", 1)):
        p50, p99, seen = window(ground, jitter)
        remark = f"{seen} runs, {words}; scheduler and worker in one process"
        yield Finding(
            row=ROW, figure=f"p50, {words}", unit="ms", ours=Spread((p50,)),
            goal=Goal(10, "at most", "ours"), remark=remark,
        )  # fmt: skip
        yield Finding(
            row=ROW, figure=f"p99, {words}", unit="ms", ours=Spread((p99,)),
            goal=Goal(50, "at most", "ours"), remark=remark,
        )  # fmt: skip


def window(ground: Ground, jitter: int) -> tuple[float, float, int]:
    """Median and 99th percentile in milliseconds, and how many runs they are of."""
    seconds, tasks = ground.size(40, 6), ground.size(100_000, 5_000)
    home = new_home(ground.server.folder)
    with ground.server.database() as url, connect(url) as connection:
        far = {"schedule_expr": FAR, "pipeline": [stored.NO_OP]}
        stored.copy(url, anyio.run(stored.scheduled, url, far), tasks - A_SECOND - 1)
        begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=ground.size(12, 8))
        anyio.run(_every_second, url, begin, jitter)
        with runtime(url, home, roles="scheduler,worker") as started:
            until_up(connection, started)
            counted = begin + timedelta(seconds=WARM)
            end = counted + timedelta(seconds=seconds)
            time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds() + 3))
            (p50, p99), seen = one(connection, LATE, begin=counted, end=end)
    # With jitter a few fall due over the edges of the window.
    if seen < seconds * A_SECOND * 0.95:
        raise RuntimeError(f"only {seen} of {seconds * A_SECOND} runs had started at the end")
    return p50, p99, seen


async def _every_second(url: str, begin: datetime, jitter: int) -> None:
    async with stored.over(url) as (services, _):
        for number in range(A_SECOND):
            request: dict[str, Any] = {
                "title": f"Every second {number}",
                "schedule_expr": "every 1s",
                "start_at": begin.isoformat(),
                "overlap": "allow",
                "jitter_seconds": jitter,
                "pipeline": [stored.NO_OP],
            }
            await services.tasks.schedule(stored.LOCAL, request)
