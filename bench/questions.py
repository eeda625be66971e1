"""What rows ask the database while or after ours works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, LiteralString

import psycopg
from children import Child, living, until

EMPTY: Final[LiteralString] = "SELECT NOT EXISTS (SELECT FROM ordinaut.due_work)"
UP: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM ordinaut.process WHERE %(role)s = ANY (roles) AND stopped_at IS NULL)
"""
READY: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM ordinaut.tool_server WHERE name = %(name)s AND state = 'ready')
"""
# The runs from the first id on: how long from their first claim to now, and how many succeeded.
SPAN: Final[LiteralString] = """
    SELECT extract(epoch FROM clock_timestamp() - min(started_at))::float8,
           count(*) FILTER (WHERE state = 'succeeded')
    FROM ordinaut.run WHERE id > %(after)s
"""
NEWEST: Final[LiteralString] = "SELECT coalesce(max(id), 0) FROM ordinaut.run"

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(url: str) -> Connection:
    """A connection in autocommit."""
    return psycopg.connect(url, autocommit=True)


def one(connection: Connection, question: LiteralString, **parameters: Any) -> tuple[Any, ...]:
    """The one row of an answer."""
    found = connection.execute(question, parameters).fetchone()
    if found is None:
        raise RuntimeError("the database answered with no row")
    return found


def true(
    connection: Connection, question: LiteralString, **parameters: Any
) -> Callable[[], bool | None]:
    """A look for `until`: True as soon as the answer is."""
    return lambda: bool(one(connection, question, **parameters)[0]) or None


def until_up(connection: Connection, started: Child, *, role: str = "worker") -> None:
    """Wait for a runtime process with this role."""
    look = living(started, true(connection, UP, role=role))
    until(look, seconds=30, what=f"a {role}")


def until_ready(connection: Connection, started: Child, server: str) -> None:
    """Wait for the first catalog of a tool server."""
    look = living(started, true(connection, READY, name=server))
    until(look, seconds=30, what=f"tool server {server}")


def until_empty(connection: Connection, started: Child, *, seconds: float) -> None:
    """Wait until nothing is left unfinished."""
    look = living(started, true(connection, EMPTY))
    until(look, seconds=seconds, what="the end of the runs")


def drained_rate(
    connection: Connection, started: Child, runs: int, *, after: int, seconds: float
) -> float:
    """Wait until nothing is left of the runs after that id; runs a second from the first claim."""
    until_empty(connection, started, seconds=seconds)
    span, succeeded = one(connection, SPAN, after=after)
    if succeeded != runs:
        raise RuntimeError(f"{succeeded} of {runs} runs succeeded")
    return runs / span
