"""`list_runs` and `list_tasks` over stdio: 10 million finished runs beside 10 thousand.

Each way of asking is a figure of its own, the ways that find nothing among them: what is slow
must not hide in an average. The history is written by SQL.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import anyio
import stored
from harness import Finding, Goal, Ground, Spread, percentile
from questions import connect, one
from stations import local_runtime, new_home, serve, stdio, timed

ROW = "lists"
TASKS: Final = 1_000
PIECE: Final = 500_000
WARM: Final = 3
FILL: Final[LiteralString] = """
    INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state,
                              scheduled_for, due_at, started_at, finished_at, attempt, executed)
    SELECT nextval('ordinaut.run_id'), at, %(first)s + n %% %(tasks)s, 1, 'local', 'schedule',
           CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'succeeded' END, at, at, at, at, 1, true
    FROM generate_series(%(begin)s::bigint, %(end)s::bigint) AS n,
         LATERAL (SELECT now() - (%(whole)s - n) * interval '0.05 seconds' AS at) AS moment
"""
FIRST: Final[LiteralString] = "SELECT min(id), max(id) FROM ordinaut.task"


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Both databases with a runtime and a client each; the ways of asking in turns."""
    many, few = ground.size(10_000_000, 200_000), ground.size(10_000, 2_000)
    with ExitStack() as stack:
        places: list[tuple[dict[str, str], str]] = []
        for runs in (many, few):
            url = stack.enter_context(ground.server.database())
            newest = filled(url, runs)
            home = new_home(ground.server.folder)
            places.append((stack.enter_context(local_runtime(home, url)), newest))
        yield from anyio.run(_compared, ground, places, (many, few))
    yield Finding(
        row=ROW, figure="the admin page", unit="ms", goal=Goal(50, "at most", "ours"),
        failure="does not exist yet",
    )  # fmt: skip


def filled(url: str, runs: int) -> str:
    """Write the history, newest last; the name of one of its tasks."""
    request = {"schedule_expr": stored.NEVER, "pipeline": [stored.NO_OP], "tags": ["bench"]}
    stored.copy(url, anyio.run(stored.scheduled, url, request), TASKS - 1)
    with connect(url) as connection:
        first, last = one(connection, FIRST)
        place = {"first": first, "tasks": TASKS, "whole": runs}
        for begin in range(1, runs + 1, PIECE):
            end = min(begin + PIECE - 1, runs)
            connection.execute(FILL, {**place, "begin": begin, "end": end})
        connection.execute("VACUUM (ANALYZE) ordinaut.run")
    return f"task_{last}"


def ways(task: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What is asked: a name, the tool, its arguments."""
    now = datetime.now(UTC)
    long_ago = {
        "since": (now - timedelta(days=400)).isoformat(),
        "until": (now - timedelta(days=399)).isoformat(),
    }
    return [
        ("the newest", "list_runs", {}),
        ("200 of them", "list_runs", {"limit": 200}),
        ("of one task", "list_runs", {"task": task}),
        ("failed ones", "list_runs", {"state": "failed"}),
        ("of a state that none has", "list_runs", {"state": "canceled"}),
        ("of a time with none", "list_runs", long_ago),
        ("the newest", "list_tasks", {}),
        ("by tag", "list_tasks", {"tag": "bench"}),
        ("by words that none has", "list_tasks", {"query": "no such title"}),
    ]


async def _compared(
    ground: Ground, places: list[tuple[dict[str, str], str]], sizes: tuple[int, int]
) -> list[Finding]:
    log, found = ground.server.folder / "lists.log", list[Finding]()
    async with stdio(serve(), places[0][0], log) as large, stdio(serve(), places[1][0], log) as few:
        for at, (name, tool, _) in enumerate(ways("")):
            values: tuple[list[float], list[float]] = ([], [])
            for which, client in ((0, large), (1, few)):
                await _p99(client, tool, ways(places[which][1])[at][2], WARM)
            for which, client in ((0, large), (1, few)) * ground.rounds:
                arguments = ways(places[which][1])[at][2]
                values[which].append(await _p99(client, tool, arguments, ground.size(40, 5)))
            found.append(
                Finding(
                    row=ROW, figure=f"{tool}, {name}, p99, {sizes[0]} runs", unit="ms",
                    ours=Spread(tuple(values[0])), peer=f"ours, {sizes[1]} runs",
                    theirs=Spread(tuple(values[1])), goal=Goal(50, "at most", "ours"),
                )
            )  # fmt: skip
    return found


async def _p99(client: Any, tool: str, arguments: dict[str, Any], calls: int) -> float:
    return percentile([await timed(client, tool, arguments) for _ in range(calls)], 0.99)
