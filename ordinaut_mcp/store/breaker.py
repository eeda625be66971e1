"""The circuit breaker in PostgreSQL: a task that fails again and again is paused and told of.

What counts is the task's own history since its owner last touched it: there is no counter to keep.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from ordinaut_mcp.store.pool import Connection

TRIP: Final[LiteralString] = """
    WITH tripped AS (
        UPDATE ordinaut.task t
        SET status = 'paused',
            note = 'Paused by Ordinaut: ' || %(allowed)s::int || ' runs in a row failed, the last'
                || ' one with ' || coalesce(newest.code, 'an error')
                || '. Mend what is wrong, then call resume_task.'
        FROM ordinaut.task locked
        CROSS JOIN LATERAL (
            SELECT bool_and(lately.state = 'failed') AND count(*) = %(allowed)s::int AS is_broken,
                   (array_agg(lately.error ->> 'code' ORDER BY lately.id DESC))[1] AS code
            FROM (SELECT r.id, r.state, r.error FROM ordinaut.run r
                  WHERE r.task_id = locked.id AND r.state IN ('succeeded', 'failed')
                    AND r.finished_at > locked.updated_at
                  ORDER BY r.id DESC LIMIT %(allowed)s::int) AS lately
        ) AS newest
        WHERE locked.id IN (SELECT task_id FROM ordinaut.run WHERE id = ANY (%(runs)s))
          AND t.id = locked.id AND t.status = 'active' AND newest.is_broken
        RETURNING t.id, t.owner, t.note
    )
    INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, data)
    SELECT mod(id, 8), owner, 'task.paused', id, jsonb_build_object('note', note)
    FROM tripped
    RETURNING task_id
"""


async def trip(connection: Connection, runs: Collection[int], *, allowed: int) -> None:
    """Pause the tasks of these runs whose last `allowed` finished runs all failed."""
    await connection.execute(TRIP, {"runs": list(runs), "allowed": allowed})
