"""Limits under a crowd of workers, on PostgreSQL: no commit shows more than the limit at once."""

from __future__ import annotations

from random import Random
from typing import Any, Final, LiteralString

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import Failed, Outcome, ProcessId, Released, Settlement, Succeeded
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from tests.contract.asking import LEASE, WRONG
from tests.contract.worlds import PostgresWorld

pytestmark = pytest.mark.anyio

OUTCOMES: Final[list[Outcome]] = [
    Succeeded(1),
    Succeeded(2),
    Failed(WRONG),
    Failed(WRONG, 0.0),
    Released(),
]
LIMITS: Final = [
    None,
    Limit(key="key:one", places=1),
    Limit(key="key:three", places=3),
    Limit(key="key:mixed", places=4),
    Limit(key="key:mixed", places=2),
]
# One statement is one snapshot: what it sees was true of a moment between commits.
BROKEN: Final[LiteralString] = """
    SELECT concurrency_key, count(*) AS running, min(max_concurrent) AS least
    FROM ordinaut.due_work d
    WHERE state = 'running' AND concurrency_key IS NOT NULL
    GROUP BY concurrency_key
    HAVING count(*) > max(max_concurrent)
        OR count(*) <> (SELECT count(*) FROM ordinaut.permit p
                        WHERE p.key = d.concurrency_key AND p.run_id IN (
                            SELECT run_id FROM ordinaut.due_work WHERE state = 'running'))
        OR EXISTS (SELECT FROM ordinaut.permit p JOIN ordinaut.due_work w ON w.run_id = p.run_id
                   WHERE p.key = d.concurrency_key AND p.place > w.max_concurrent)
"""
LEFT: Final[LiteralString] = "SELECT count(*) AS count FROM ordinaut.due_work"
HELD: Final[LiteralString] = "SELECT * FROM ordinaut.permit WHERE run_id IS NOT NULL"
OVERLAPS: Final[LiteralString] = """
    SELECT task_id, count(*) FROM ordinaut.due_work
    WHERE state = 'running' AND serial GROUP BY task_id HAVING count(*) > 1
"""


async def found(pool: Pool, question: LiteralString) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        return await (await connection.execute(question)).fetchall()


async def work(pool: Pool, process: ProcessId, random: Random, broken: list[Any]) -> None:
    """Claim, look, and settle in some way, until nothing is left."""
    queue = PostgresQueue(pool)
    while True:
        claimed = await queue.claim(process, limit=random.randint(1, 6), lease_for=LEASE)
        broken += await found(pool, BROKEN) + await found(pool, OVERLAPS)
        if claimed:
            batch = [Settlement(run.lease, random.choice(OUTCOMES)) for run in claimed]
            broken += await queue.settle(batch)
        elif (await found(pool, LEFT))[0]["count"] == 0:
            return
        await checkpoint()


@pytest.mark.parametrize("seed", range(3))
async def test_however_many_workers_claim_at_once_no_limit_is_overshot(
    pool: Pool, seed: int
) -> None:
    world, random = PostgresWorld(pool), Random(seed)
    for number in range(90):
        limit = LIMITS[number % len(LIMITS)]
        serial = random.random() < 0.3
        await world.add(task=1 + number % 7, limit=limit, serial=serial)
    broken: list[Any] = []

    with anyio.fail_after(30):
        async with anyio.create_task_group() as crowd:
            for process in range(1, 7):
                crowd.start_soon(work, pool, ProcessId(process), Random(seed + process), broken)

    assert broken == []
    assert await found(pool, HELD) == []
    world.keeper.close()
