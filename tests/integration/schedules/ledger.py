"""Checks that a history tells of every slot exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from ordinaut_mcp.store.pool import Pool, rows

ROWS: Final[LiteralString] = """
    SELECT task_id, state, reason, scheduled_for, coalesce(skipped_until, scheduled_for) AS until,
           coalesce(skipped_count, 1) AS count, coalesce(skipped_is_exact, true) AS is_exact
    FROM ordinaut.run WHERE kind = 'schedule' ORDER BY task_id, scheduled_for
"""


async def ledger(pool: Pool) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """The rows of all schedules, by task."""
    async with pool.connection() as connection:
        found = await rows(connection, ROWS)
    tasks = dict[int, list[Mapping[str, Any]]]()
    for row in found:
        tasks.setdefault(row["task_id"], []).append(row)
    return tasks


def slots_told(rows: Sequence[Mapping[str, Any]], every: timedelta) -> Counter[datetime]:
    """How often each slot of an interval is told of, by a run or inside a skipped stretch."""
    told = Counter[datetime]()
    for row in rows:
        at, within = row["scheduled_for"], 0
        while at <= row["until"]:
            told[at] += 1
            at, within = at + every, within + 1
        assert (row["count"], row["is_exact"]) == (within, True), row
    return told


def assert_each_once(
    rows: Sequence[Mapping[str, Any]], *, every: timedelta, first: datetime, last: datetime
) -> None:
    """Every slot from `first` to `last` is told of exactly once, and no other slot is."""
    told = slots_told(rows, every)
    wanted = [first + number * every for number in range((last - first) // every + 1)]
    assert sorted(told) == wanted
    assert [at for at, times in told.items() if times != 1] == []
