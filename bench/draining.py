"""How fast a system drains due no-op runs: in a process of its own, over a database of its own.

The clock starts when the first run begins (ours: with the transaction of the first claim, which
is earlier; a peer's first claim is not counted against it) and stops when the system's own tables
hold nothing unfinished any more.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, LiteralString

import psycopg
from children import HERE, child, living, until
from harness import Ground

FIRST_CLAIM: Final[LiteralString] = """
    SELECT extract(epoch FROM clock_timestamp() - min(started_at))::float8 FROM ordinaut.run
"""
KEPT: Final[LiteralString] = """
    SELECT (SELECT count(*) FROM ordinaut.run WHERE state = 'succeeded'),
           (SELECT count(*) FROM ordinaut.step WHERE state = 'succeeded'),
           (SELECT count(*) FROM ordinaut.outbox WHERE run_id IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """Runs a second; `kept` is what of ours stands in the database afterwards."""

    drain: float
    adding: float
    kept: tuple[int, int, int] | None = None


def drained(ground: Ground, name: str, runs: int, option: str = "") -> Drained:
    """One measure of one system."""
    is_ours = name == "ordinaut"
    words = [sys.executable, "-m", "peers.child", name]
    log = ground.server.folder / f"{name}.log"
    # What it leaves behind goes with the server's folder.
    env = {**os.environ, "TMPDIR": str(ground.server.folder)}
    with (
        ground.server.database(migrated=is_ours) as url,
        child([*words, url, str(runs), option], env=env, log=log, cwd=HERE) as started,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        added = started.told()["added"]
        first = None if is_ours else float(started.told()["first"])
        look = living(started, _emptied(connection, name))
        empty = until(look, seconds=ground.size(180, 40), what=f"the end of {name}")
        if first is not None:
            return Drained(drain=runs / (empty - first), adding=runs / added)
        took = _one(connection, FIRST_CLAIM)[0] - (time.monotonic() - empty)
        kept = _one(connection, KEPT)
        return Drained(drain=runs / took, adding=runs / added, kept=(kept[0], kept[1], kept[2]))


def _emptied(connection: psycopg.Connection[Any], name: str) -> Callable[[], float | None]:
    left: LiteralString = import_module(f"peers.{name}").LEFT

    def look() -> float | None:
        return None if _one(connection, left)[0] else time.monotonic()

    return look


def _one(connection: psycopg.Connection[Any], question: LiteralString) -> tuple[Any, ...]:
    found = connection.execute(question).fetchone()
    if found is None:
        raise RuntimeError("the database did not answer")
    return found
