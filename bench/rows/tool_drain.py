"""The drain with one real MCP tool call over stdio in each run, beside a bare loop of the SDK.

The worker and its tool server are up before the runs are ordered; the bare loop has one open
session, too, and calls the same tool as often, one call after the other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator

import anyio
import stored
from children import environment, runtime
from harness import Finding, Goal, Ground
from questions import NEWEST, connect, drained_rate, one, until_ready
from stations import ECHO, new_home, stdio

ROW = "tool_drain"
SAY = {"id": "a", "uses": "echo.say", "with": {"text": "hello"}}


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """One worker for all rounds; each round orders its runs and waits for their end."""
    runs = ground.size(2_000, 200)
    home = new_home(ground.server.folder, servers={"echo": ECHO})
    with (
        ground.server.database() as url,
        runtime(url, home) as worker,
        connect(url) as connection,
    ):
        until_ready(connection, worker, "echo")
        request = {"schedule_expr": stored.NEVER, "pipeline": [SAY]}
        task = anyio.run(stored.scheduled, url, request)

        def ours() -> float:
            after = one(connection, NEWEST)[0]
            anyio.run(stored.order_at_once, url, task, runs)
            return drained_rate(connection, worker, runs, after=after, seconds=ground.size(120, 30))

        found, bare = ground.alternated(ours, lambda: anyio.run(bare_loop, ground, runs))
    yield Finding(
        row=ROW, figure="drain with a tool call in each run", unit="runs/s", ours=found,
        peer="bare loop of the MCP SDK", theirs=bare, goal=Goal(0.7, "at least", "ratio"),
        remark=f"{runs} runs, tests/servers/echo.py",
    )  # fmt: skip


async def bare_loop(ground: Ground, calls: int) -> float:
    """Calls a second of one client in a loop."""
    folder = ground.server.folder
    env = environment(folder)
    async with stdio([sys.executable, str(ECHO)], env, folder / "bare.log") as client:
        await client.call_tool("say", {"text": "hello"})
        began = time.perf_counter()
        for _ in range(calls):
            await client.call_tool("say", {"text": "hello"})
        return calls / (time.perf_counter() - began)
