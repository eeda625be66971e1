"""Many schedulers on one database: no slot twice, none lost, and how late they are.

Run it with `python bench/schedulers.py`: 8 scheduler processes share 200 tasks that fire every
second, for a minute, over a PostgreSQL of its own. Half of the tasks allow overlap, so that each
slot is a run; the other half skips, so that each slot after the first is told of by a skip.
Exits with 1 when a slot is told of twice or not at all.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, LiteralString

import anyio
import psycopg
from psycopg.rows import dict_row

from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.store.migrate import migrate
from ordinaut_mcp.store.pool import new_pool
from ordinaut_mcp.store.slots import PostgresSlots

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
        async with await psycopg.AsyncConnection.connect(
            database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            while True:
                cursor = await connection.execute(LEFT)
                left = await cursor.fetchone()
                if left and left["tasks"] == 0:
                    return
                await anyio.sleep(1)


def judge(database_url: str, *, tasks: int, begin: datetime, last: datetime) -> bool:
    """Say what was found; whether each slot of each task is told of exactly once."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(ROWS).fetchall()
    told = Counter[tuple[int, datetime]]()
    for row in rows:
        at = row["scheduled_for"]
        while at <= row["until"]:
            told[row["task_id"], at] += 1
            at += SECOND
    each = (last - begin) // SECOND + 1
    doubles = sum(times - 1 for times in told.values())
    inside = sum(begin <= at <= last for _, at in told)
    runs = [row["late"] / SECOND * 1000 for row in rows if row["state"] != "skipped"]
    cuts = quantiles(runs, n=100)
    print(f"slots {tasks * each}, runs {len(runs)}, rows {len(rows)}")
    print(f"told twice {doubles}, lost {tasks * each - inside}, of no slot {len(told) - inside}")
    print(f"late (ms): median {cuts[49]:.0f}, p99 {cuts[98]:.0f}, worst {max(runs):.0f}")
    return doubles == 0 and inside == len(told) == tasks * each


def measured(database_url: str, *, schedulers: int, tasks: int, seconds: int) -> bool:
    """Run the schedulers over the tasks and judge what they left."""
    migrate(database_url)
    begin, last = anyio.run(lambda: prepare(database_url, tasks=tasks, seconds=seconds))
    spawn = get_context("spawn")
    running = [spawn.Process(target=serve, args=(database_url,)) for _ in range(schedulers)]
    for one in running:
        one.start()
    try:
        anyio.run(until_completed, database_url, seconds + BEGIN_IN // SECOND)
    finally:
        for one in running:
            one.terminate()
            one.join(PATIENCE)
    return judge(database_url, tasks=tasks, begin=begin, last=last)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedulers", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ord-bench-", dir=tempfile.gettempdir()))
    folder.chmod(0o755)
    home = Home(folder)
    home.prepare()
    postgres = EmbeddedPostgres(home)
    try:
        url = postgres.start()
        print(f"{asked.schedulers} schedulers, {asked.tasks} tasks, {asked.seconds} s")
        return 0 if measured(url, **vars(asked)) else 1
    finally:
        postgres.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
