"""The queue's table after 1,000,000 runs: dead tuples, and whether the drain became slower."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, LiteralString

from children import runtime
from harness import Finding, Goal, Ground, Spread
from questions import Connection, connect, one, until_up
from slices import Place, drained_slices, no_op_task
from stations import new_home

ROW = "hot_table"
DEAD: Final[LiteralString] = """
    SELECT n_dead_tup, pg_table_size(relid) / 1048576.0
    FROM pg_stat_all_tables WHERE relid = 'ordinaut.due_work'::regclass
"""
TENTH: Final = 0.9
"""The last slices may be a tenth slower."""


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Slices through one worker; the first one warms up and is not compared."""
    slices, each = ground.size(21, 6), ground.size(50_000, 400)
    home = new_home(ground.server.folder)
    rates, dead = list[float](), list[float]()
    with (
        ground.server.database() as url,
        connect(url) as connection,
        runtime(url, home) as worker,
    ):
        until_up(connection, worker)
        task, place = no_op_task(url), Place(url, connection, worker)
        for one_slice in drained_slices(ground, place, task, slices=slices, each=each):
            rates.append(one_slice.rate)
            dead.append(_dead(connection)[0])
        size = _dead(connection)[1]
    remark = f"{(slices - 1) * each} runs in slices of {each}; the table has {size:.0f} MiB"
    yield Finding(
        row=ROW, figure="dead tuples of due_work after the last slice", ours=Spread((dead[-1],)),
        goal=Goal(20_000, "at most", "ours"), remark=f"{remark}; at most {max(dead):.0f}",
    )  # fmt: skip
    fifth = max(1, (slices - 1) // 5)
    yield Finding(
        row=ROW, figure="drain of the last fifth", unit="runs/s",
        ours=Spread(tuple(rates[-fifth:])), peer="ours, the first fifth",
        theirs=Spread(tuple(rates[1 : fifth + 1])), goal=Goal(TENTH, "at least", "ratio"),
        remark=remark,
    )  # fmt: skip


def _dead(connection: Connection) -> tuple[float, float]:
    tuples, size = one(connection, DEAD)
    return float(tuples), float(size)
