"""Runs of one pipeline of 50 steps that only compute, each journalled (for issue 5)."""

from __future__ import annotations

from collections.abc import Generator

import anyio
import stored
from children import runtime
from harness import Finding, Ground
from questions import NEWEST, connect, drained_rate, one, until_up
from stations import new_home

ROW = "fifty_steps"
STEPS = 50


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """One worker for all rounds."""
    runs = ground.size(200, 20)
    steps = [{**stored.NO_OP, "id": f"s{number}"} for number in range(STEPS)]
    home = new_home(ground.server.folder)
    with ground.server.database() as url, runtime(url, home) as worker, connect(url) as connection:
        until_up(connection, worker)
        request = {"schedule_expr": stored.NEVER, "pipeline": steps}
        task = anyio.run(stored.scheduled, url, request)

        def ours() -> float:
            after = one(connection, NEWEST)[0]
            anyio.run(stored.order_at_once, url, task, runs)
            wait = ground.size(120, 40)
            return STEPS * drained_rate(connection, worker, runs, after=after, seconds=wait)

        found = ground.repeated(ours, times=ground.size(5, 2))
    yield Finding(
        row=ROW, figure=f"a pipeline of {STEPS} steps", unit="steps/s", ours=found,
        remark=f"{runs} runs a round; no goal yet",
    )  # fmt: skip
