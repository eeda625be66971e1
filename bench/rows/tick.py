"""One tick of the scheduler with 100 tasks due, over 10,000 and over 1,000,000 stored tasks.

A tick is what the scheduler asks of its port: `materialise` with the real rules, then when the
next slot is due. Both databases are asked in turns; each round makes other tasks due.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import anyio
import stored
from harness import Finding, Goal, Ground, Spread
from questions import Connection, connect, one

from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.store.pool import new_pool
from ordinaut_mcp.store.slots import PostgresSlots

ROW = "tick"
DUE = 100
WARM = 3
"""Rounds that only warm the caches."""
# The anchor is a day ago, so that the slot of the last full hour is one that was missed.
MAKE_DUE: Final[LiteralString] = """
    UPDATE ordinaut.task
    SET next_run_at = next_run_at - interval '1 hour'
    WHERE id IN (SELECT id FROM ordinaut.task ORDER BY id OFFSET %(skip)s LIMIT %(due)s)
"""

MADE: Final[LiteralString] = "SELECT count(*) FROM ordinaut.due_work"


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Milliseconds of a tick, many stored tasks beside few."""
    few, many = ground.size(10_000, 3_000), ground.size(1_000_000, 50_000)
    with ground.server.database() as small, ground.server.database() as large:
        for url, count in ((small, few), (large, many)):
            request = {
                "schedule_expr": "every 1h",
                "start_at": (datetime.now(UTC) - timedelta(hours=24.5)).isoformat(),
                "pipeline": [stored.NO_OP],
            }
            stored.copy(url, anyio.run(stored.scheduled, url, request), count - 1)
        ours, beside = anyio.run(_rounds, large, small, max(ground.rounds, 10) + WARM)
    yield Finding(
        row=ROW, figure=f"tick, {DUE} due, {many} stored", unit="ms", ours=ours,
        peer=f"ours, {few} stored", theirs=beside, goal=Goal(1.2, "at most", "ratio"),
    )  # fmt: skip


async def _rounds(large: str, small: str, rounds: int) -> tuple[Spread, Spread]:
    found: tuple[list[float], list[float]] = ([], [])
    async with new_pool(large, largest=2) as of_large, new_pool(small, largest=2) as of_small:
        with connect(large) as large_now, connect(small) as small_now:
            places = ((PostgresSlots(of_large), large_now), (PostgresSlots(of_small), small_now))
            for at in range(rounds):
                for which in (0, 1) if at % 2 == 0 else (1, 0):
                    found[which].append(await _tick(*places[which], at))
            for _, connection in places:
                made = one(connection, MADE)[0]
                if made != rounds * DUE:
                    raise RuntimeError(f"{made} runs were made instead of {rounds * DUE}")
    return Spread(tuple(found[0][WARM:])), Spread(tuple(found[1][WARM:]))


async def _tick(slots: PostgresSlots, connection: Connection, round_number: int) -> float:
    connection.execute(MAKE_DUE, {"skip": round_number * DUE, "due": DUE})
    began = time.perf_counter()
    due = await slots.materialise(account_for, limit=2 * DUE)
    await slots.next_due_in()
    took = time.perf_counter() - began
    if due != DUE:
        raise RuntimeError(f"{due} tasks were due instead of {DUE}")
    return took * 1000
