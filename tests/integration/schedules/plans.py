"""What PostgreSQL would do for a statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from ordinaut_mcp.store.pool import Pool

CROWD: LiteralString = """
    WITH made AS (
        INSERT INTO ordinaut.task (owner, title, status, next_run_at, tz_version, pipeline_digest)
        SELECT t.owner, 'Crowd ' || n, 'active', t.next_run_at + n * interval '1 minute',
               t.tz_version, CASE WHEN n %% 2 = 0 THEN t.pipeline_digest ELSE n::text END
        FROM ordinaut.task t CROSS JOIN generate_series(1, %(count)s) AS n
        RETURNING id
    )
    INSERT INTO ordinaut.task_revision (task_id, generation, request, definition)
    SELECT made.id, 1, r.request, r.definition
    FROM made CROSS JOIN ordinaut.task_revision r
"""


async def crowd(pool: Pool, count: int) -> None:
    """So many tasks like the only one there is, a minute apart; every second does the same."""
    async with pool.connection() as connection:
        await connection.execute(CROWD, {"count": count})
        await connection.execute("ANALYZE ordinaut.task, ordinaut.task_revision")


async def plan(pool: Pool, statement: LiteralString, **parameters: Any) -> list[str]:
    """`Index Scan task_due` for each node that reads a table."""
    explained: LiteralString = "EXPLAIN (FORMAT JSON) " + statement
    async with pool.connection() as connection:
        cursor = await connection.execute(explained, parameters)
        found = await cursor.fetchone()
    assert found is not None
    return list(_scans(found["QUERY PLAN"][0]["Plan"]))


def _scans(node: Mapping[str, Any]) -> Iterator[str]:
    if "Scan" in node["Node Type"]:
        place = node.get("Index Name") or node.get("Relation Name")
        yield f"{node['Node Type']} {place}"
    for part in node.get("Plans", ()):
        yield from _scans(part)
