"""Memory of a worker over 200,000 runs: its last tenth beside its first.

Twice: no-op runs alone, and with a run among each 200 whose tool answers a megabyte.
"""

from __future__ import annotations

from collections.abc import Generator
from statistics import mean

import anyio
import stored
from children import runtime
from harness import Finding, Goal, Ground, Spread
from questions import connect, until_empty, until_ready
from slices import Place, drained_slices, no_op_task, rss
from stations import OWN, new_home

from ordinaut_mcp.domain.task import Task

ROW = "memory"
BIG = {"id": "a", "uses": "bench.big", "with": {}}
SHARE = 200


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Each kind of work with a worker of its own."""
    for words, is_big in (("no-op", False), (f"each {SHARE}th with 1 MB", True)):
        runs, tenths = grown(ground, is_big=is_big)
        growth = mean(tenths[-1]) - mean(tenths[0])
        yield Finding(
            row=ROW, figure=f"RSS, last tenth − first, {words}", unit="MiB",
            ours=Spread((growth,)), goal=Goal(10, "at most", "ours"),
            remark=f"{runs} runs; first {mean(tenths[0]):.0f}, last {mean(tenths[-1]):.0f} MiB",
        )  # fmt: skip


def grown(ground: Ground, *, is_big: bool) -> tuple[int, list[list[float]]]:
    """The samples of each tenth; the megabytes are mixed into each slice."""
    each, slices = ground.size(2_000, 200), ground.size(100, 10)
    home = new_home(ground.server.folder, servers={"bench": OWN})
    samples = list[float]()
    with (
        ground.server.database() as url,
        connect(url) as connection,
        runtime(url, home) as worker,
    ):
        until_ready(connection, worker, "bench")
        task, place = no_op_task(url), Place(url, connection, worker)
        big = _big_task(url) if is_big else None
        for _ in drained_slices(ground, place, task, slices=slices, each=each):
            if big is not None:
                _drain_big(place, big, max(1, each // SHARE))
            samples.append(rss(worker))
    tenth = len(samples) // 10
    return each * slices, [samples[at : at + tenth] for at in range(0, len(samples), tenth)]


def _big_task(url: str) -> Task:
    request = {"schedule_expr": stored.NEVER, "pipeline": [BIG]}
    return anyio.run(stored.scheduled, url, request)


def _drain_big(place: Place, task: Task, runs: int) -> None:
    anyio.run(stored.order_at_once, place.url, task, runs)
    until_empty(place.connection, place.worker, seconds=60)
