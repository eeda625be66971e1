"""How many rows every table of ours holds: what is refused must leave them alone."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'ordinaut'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname
"""


def rows_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The number of rows of each table."""
    names = [name for (name,) in connection.execute(TABLES).fetchall()]
    return {name: _count(connection, name) for name in names}


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    count = sql.SQL("SELECT count(*) FROM ordinaut.{}").format(sql.Identifier(table))
    [(rows,)] = connection.execute(count).fetchall()
    return rows
