"""Moving the database's now: its one SQL function, replaced by one with an offset."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, LiteralString

from ordinaut_mcp.store.pool import Pool

MOVABLE: Final[LiteralString] = """
    CREATE TABLE ordinaut.moved (by_span interval NOT NULL);
    INSERT INTO ordinaut.moved VALUES (interval '0');
    CREATE OR REPLACE FUNCTION ordinaut.now() RETURNS timestamptz
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT pg_catalog.now() + (SELECT by_span FROM ordinaut.moved) $$;
"""
MOVE: Final[LiteralString] = "UPDATE ordinaut.moved SET by_span = by_span + %(by)s"


async def move(pool: Pool, by: timedelta) -> None:
    """Let the database's now jump, forward or back."""
    async with pool.connection() as connection:
        await connection.execute(MOVE, {"by": by})
