"""The journal in PostgreSQL: what each step was given, and what came of it.

Every write is guarded by (run, epoch, running), as the queue's are, and a step that is
journalled as succeeded is never written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import Lease, StepRecord, StepState
from ordinaut_mcp.store.pool import Connection, row, rows

JOURNAL: Final[LiteralString] = """
    SELECT s.*
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.step s ON s.run_id = c.id AND s.run_created_at = c.created_at
"""
# The guard locks the queue's row, so that a claim by another and this write are in order.
BEGIN_STEP: Final[LiteralString] = """
    WITH held AS (
        SELECT run_id, run_created_at FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR SHARE
    )
    INSERT INTO ordinaut.step AS s (run_id, run_created_at, path, position, uses, state, attempt,
                                    epoch, input, started_at)
    SELECT held.run_id, held.run_created_at, %(path)s, %(position)s, %(uses)s, 'running',
           %(attempt)s, %(epoch)s, %(input)s, clock_timestamp() + (ordinaut.now() - now())
    FROM held
    ON CONFLICT (run_id, path, run_created_at) DO UPDATE
    SET state = 'running', attempt = excluded.attempt, epoch = excluded.epoch,
        input = excluded.input, output = NULL, error = NULL, finished_at = NULL
    WHERE s.state <> 'succeeded'
    RETURNING s.run_id
"""
# The answer is whether the lease is held: a result that is written a second time, because the
# answer of the first write was lost on the way, is no lost lease.
FINISH_STEP: Final[LiteralString] = """
    WITH held AS (
        SELECT run_id, run_created_at FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR SHARE
    ), written AS (
        INSERT INTO ordinaut.step AS s (run_id, run_created_at, path, position, uses, state,
                                        attempt, epoch, output, error, started_at, finished_at)
        SELECT held.run_id, held.run_created_at, %(path)s, %(position)s, %(uses)s, %(state)s,
               %(attempt)s, %(epoch)s, %(output)s, %(error)s,
               clock_timestamp() + (ordinaut.now() - now()),
               clock_timestamp() + (ordinaut.now() - now())
        FROM held
        ON CONFLICT (run_id, path, run_created_at) DO UPDATE
        SET state = excluded.state, output = excluded.output, error = excluded.error,
            finished_at = excluded.finished_at
        WHERE s.state <> 'succeeded'
    )
    SELECT run_id FROM held
"""


async def begin(connection: Connection, lease: Lease, step: StepRecord) -> bool:
    """Write the intent; False when the lease is lost, or the step has succeeded already."""
    parameters = {**_place(lease, step), "input": Jsonb(step.input)}
    return await row(connection, BEGIN_STEP, parameters) is not None


async def finish(connection: Connection, lease: Lease, step: StepRecord) -> bool:
    """Write the result; False when the lease is lost."""
    parameters = {
        **_place(lease, step),
        "state": step.state,
        "output": Jsonb(step.output),
        "error": Jsonb(dict(step.error)) if step.error else None,
    }
    return await row(connection, FINISH_STEP, parameters) is not None


async def read(
    connection: Connection, claimed: Sequence[DictRow]
) -> dict[int, dict[str, StepRecord]]:
    """What is journalled of these runs, by run and path."""
    which = {
        "ids": [found["run_id"] for found in claimed],
        "created": [found["run_created_at"] for found in claimed],
    }
    journals: dict[int, dict[str, StepRecord]] = {}
    for found in await rows(connection, JOURNAL, which):
        journals.setdefault(found["run_id"], {})[found["path"]] = step_record(found)
    return journals


def step_record(found: DictRow) -> StepRecord:
    """One line of the journal, read back."""
    return StepRecord(
        path=found["path"],
        position=found["position"],
        uses=found["uses"],
        state=StepState(found["state"]),
        attempt=found["attempt"],
        input=found["input"],
        output=found["output"],
        error=found["error"],
        started_at=found["started_at"],
        finished_at=found["finished_at"],
    )


def _place(lease: Lease, step: StepRecord) -> dict[str, Any]:
    return {
        "run_id": lease.run_id,
        "epoch": lease.epoch,
        "path": step.path,
        "position": step.position,
        "uses": step.uses,
        "attempt": step.attempt,
    }
