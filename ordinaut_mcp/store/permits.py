"""Permits in PostgreSQL: one row for each place under a key, made before the first run needs it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.store.pool import Connection

MAKE_PERMITS: Final[LiteralString] = """
    INSERT INTO ordinaut.permit (owner, key, place)
    SELECT w.owner, w.key, place
    FROM (SELECT owner, key, max(places) AS places
          FROM unnest(%(owners)s::text[], %(keys)s::text[], %(places)s::int[])
              AS w (owner, key, places)
          GROUP BY owner, key) AS w
    CROSS JOIN generate_series(1, w.places) AS place
    ORDER BY w.owner, w.key, place
    ON CONFLICT (owner, key, place) DO NOTHING
"""
# A janitor removes permits that nobody needs. Holding those of each key keeps it away until the
# run that needs them is there, too; what it removed before is made anew.
HOLD_PERMITS: Final[LiteralString] = """
    SELECT p.place FROM ordinaut.permit p
    JOIN unnest(%(owners)s::text[], %(keys)s::text[]) AS w (owner, key)
      ON w.owner = p.owner AND w.key = p.key
    ORDER BY p.owner, p.key, p.place
    FOR KEY SHARE OF p
"""


async def make_permits(connection: Connection, wanted: Collection[tuple[str, Limit]]) -> None:
    """Make what is missing, inside the transaction that queues runs under these limits."""
    if not wanted:
        return
    unique = sorted(set(wanted), key=lambda one: (one[0], one[1].key, one[1].places))
    parameters = {
        "owners": [owner for owner, _ in unique],
        "keys": [limit.key for _, limit in unique],
        "places": [limit.places for _, limit in unique],
    }
    await connection.execute(HOLD_PERMITS, parameters)
    await connection.execute(MAKE_PERMITS, parameters)
