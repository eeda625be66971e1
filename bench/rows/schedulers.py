"""Many schedulers on one database: no slot twice, none lost, and how late they are.

8 scheduler processes share 200 tasks that fire every second, for a minute. Half of the tasks
allow overlap, so that each slot is a run; the other half skips, so that each slot after the first
is told of by a skip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final, LiteralString

import anyio
import psycopg
from harness import Finding, Goal, Ground, Spread, percentile
from psycopg.rows import DictRow, dict_row

from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.store.pool import new_pool
from ordinaut_mcp.store.slots import PostgresSlots

ROW: Final = "schedulers"
SCHEDULERS: Final = 8
TASKS: Final = 200
SECOND: Final = timedelta(seconds=1)
BEGIN_IN: Final = 5 * SECOND
PATIENCE: Final = 30
"""Seconds that the schedulers may need beyond the last slot."""
STEP: Final = {"id": "a", "uses": "value.set", "with": {"value": 1}}
LEFT: Final[LiteralString] = "SELECT count(*) AS tasks FROM ordinaut.task WHERE status = 'active'"
ROWS: Final[LiteralString] = """
    SELECT task_id, state, scheduled_for, coalesce(skipped_until, scheduled_for) AS until,
           created_at - scheduled_for AS late
    FROM ordinaut.run
"""


def serve(database_url: str) -> None:
    """One scheduler process, until it is terminated."""

    async def scheduling() -> None:
        clockwork = Clockwork()
        async with new_pool(database_url, largest=2) as pool:
            with clockwork.running():
                await Scheduler(PostgresSlots(pool), clockwork, on_runs=lambda: None).run()

    anyio.run(scheduling)


async def prepare(database_url: str, *, tasks: int, seconds: int) -> tuple[datetime, datetime]:
    """Store the tasks; their first and their last slot."""
    async with new_pool(database_url, largest=4) as pool:
        services = services_over(pool, Settings(timezone="UTC"))
        begin = (await services.tasks.now()).replace(microsecond=0) + BEGIN_IN
        last = begin + (seconds - 1) * SECOND
        for number in range(tasks):
            request: dict[str, Any] = {
                "title": f"Every second {number}",
                "schedule_expr": "every 1s",
                "start_at": begin.isoformat(),
                "end_at": last.isoformat(),
                "overlap": "allow" if number % 2 else "skip",
                "pipeline": [STEP],
            }
            await services.tasks.schedule(Caller("local"), request)
    return begin, last


async def until_completed(database_url: str, seconds: int) -> None:
    """Return when every task has accounted for its last slot."""
    with anyio.fail_after(seconds + PATIENCE):
        async with await psycopg.AsyncConnection[DictRow].connect(
            database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            while True:
                cursor = await connection.execute(LEFT)
                left = await cursor.fetchone()
                if left and left["tasks"] == 0:
                    return
                await anyio.sleep(1)


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """One stretch of time; the counts are promises, the lateness is a figure."""
    seconds = ground.size(60, 8)
    with ground.server.database() as url:
        begin, last = anyio.run(lambda: prepare(url, tasks=TASKS, seconds=seconds))
        with_schedulers(url, seconds=seconds)
        twice, lost, late = judged(url, begin=begin, last=last)
    remark = f"{SCHEDULERS} schedulers, {TASKS} tasks a second for {seconds} s"
    for figure, count in (("slots told twice", twice), ("slots lost", lost)):
        yield Finding(
            row=ROW, figure=figure, ours=Spread((count,)), goal=Goal(0, "at most", "ours"),
            remark=remark,
        )  # fmt: skip
    for share in (0.5, 0.99):
        yield Finding(
            row=ROW, figure=f"slot → its run is stored, p{share * 100:.0f}", unit="ms",
            ours=Spread((percentile(late, share),)), remark=remark,
        )  # fmt: skip


def with_schedulers(database_url: str, *, seconds: int) -> None:
    """Run the schedulers until every slot is accounted for."""
    spawn = get_context("spawn")
    running = [spawn.Process(target=serve, args=(database_url,)) for _ in range(SCHEDULERS)]
    for one in running:
        one.start()
    try:
        anyio.run(until_completed, database_url, seconds + BEGIN_IN // SECOND)
    finally:
        for one in running:
            one.terminate()
            one.join(PATIENCE)


def judged(database_url: str, *, begin: datetime, last: datetime) -> tuple[int, int, list[float]]:
    """How many slots were told twice, how many were lost, and how late runs were in ms."""
    with psycopg.Connection[DictRow].connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(ROWS).fetchall()
    told = Counter[tuple[int, datetime]]()
    for row in rows:
        at = row["scheduled_for"]
        while at <= row["until"]:
            told[row["task_id"], at] += 1
            at += SECOND
    inside = sum(begin <= at <= last for _, at in told)
    twice = sum(times - 1 for times in told.values())
    lost = TASKS * ((last - begin) // SECOND + 1) - inside
    return twice, lost, [row["late"] / SECOND * 1000 for row in rows if row["state"] != "skipped"]
