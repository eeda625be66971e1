"""`schedule_task` over stdio, asked and answered, beside a tool of a bare SDK server.

The runtime of the home is up; each call makes a new task. One client process asks both in
turns.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import anyio
import stored
from harness import Finding, Goal, Ground, Spread, percentile
from mcp import Client
from stations import OWN, local_runtime, new_home, serve, stdio, timed

ROW = "answering"
WARM = 10


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """The calls of all rounds together; the spread is that of the rounds."""
    each = ground.size(30, 15)
    home = new_home(ground.server.folder)
    with ground.server.database() as url, local_runtime(home, url) as env:
        ours, bare = anyio.run(_rounds, ground, env, each)
    for share, limit in ((0.5, 10.0), (0.99, 30.0)):
        whole = percentile((one for calls in ours for one in calls), share)
        yield Finding(
            row=ROW, figure=f"schedule_task over stdio, p{share * 100:.0f}", unit="ms",
            ours=_spread(ours, share, whole), peer="a tool of a bare SDK server",
            theirs=_spread(bare, share, percentile((o for c in bare for o in c), share)),
            goal=Goal(limit, "at most", "ours"),
            remark=f"{each * len(ours)} calls; the value is of all calls, the spread of rounds",
        )  # fmt: skip


def _spread(rounds: list[list[float]], share: float, whole: float) -> Spread:
    """Every call counts: a p99 of 30 calls would be their worst."""
    each = [percentile(calls, share) for calls in rounds]
    return Spread(tuple(each), of_all=whole)


async def _rounds(
    ground: Ground, env: dict[str, str], each: int
) -> tuple[list[list[float]], list[list[float]]]:
    log = ground.server.folder / "answering.log"
    ours, bare = list[list[float]](), list[list[float]]()
    async with (
        stdio(serve(), env, log) as client,
        stdio([sys.executable, str(OWN)], env, log) as plain,
    ):
        await _asked(client, WARM)
        await _said(plain, WARM)
        for _ in range(ground.rounds):
            ours.append(await _asked(client, each))
            bare.append(await _said(plain, each))
    return ours, bare


async def _asked(client: Client, calls: int) -> list[float]:
    request = {"title": "Water the plants", "schedule_expr": "every 1d"}
    step = {"pipeline": [stored.NO_OP]}
    return [await timed(client, "schedule_task", {**request, **step}) for _ in range(calls)]


async def _said(client: Client, calls: int) -> list[float]:
    return [await timed(client, "say", {"text": "hello"}) for _ in range(calls)]
