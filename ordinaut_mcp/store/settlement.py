"""How an attempt ends, in PostgreSQL: finished, or back in the queue, fenced by its lease."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, LiteralString, assert_never

from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    Lease,
    Outcome,
    Parked,
    Released,
    Succeeded,
)
from ordinaut_mcp.store.pool import Connection, row

FINISH: Final[LiteralString] = """
    WITH done AS (
        DELETE FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
        RETURNING run_id, run_created_at, started_at, attempt
    )
    UPDATE ordinaut.run r
    SET state = %(state)s, started_at = done.started_at, finished_at = ordinaut.now(),
        attempt = done.attempt, output = %(output)s, error = %(error)s,
        executed = %(executed)s, verified = %(verified)s
    FROM done
    WHERE r.id = done.run_id AND r.created_at = done.run_created_at
    RETURNING r.id
"""
# With the step under way: it was sent, and nobody knows what came of it.
CANCEL: Final[LiteralString] = """
    WITH done AS (
        DELETE FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
          AND coalesce(%(reason)s::text, cancel_reason) IS NOT NULL
        RETURNING run_id, run_created_at, started_at, attempt, error, cancel_reason
    ), left_open AS (
        UPDATE ordinaut.step s SET state = 'unknown', finished_at = ordinaut.now()
        FROM done
        WHERE s.run_id = done.run_id AND s.run_created_at = done.run_created_at
          AND s.state = 'running'
    )
    UPDATE ordinaut.run r
    SET state = 'canceled', reason = coalesce(%(reason)s, done.cancel_reason),
        started_at = done.started_at, finished_at = ordinaut.now(), attempt = done.attempt,
        error = done.error
    FROM done
    WHERE r.id = done.run_id AND r.created_at = done.run_created_at
    RETURNING r.id
"""
# A run that somebody wants ended does not come back to the queue.
RETRY: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'retrying', failures = failures + 1, error = %(error)s, process_id = NULL,
        lease_until = NULL, run_at = ordinaut.now() + %(rest)s
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
      AND cancel_reason IS NULL
    RETURNING run_id AS id
"""
RELEASE: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'queued', attempt = attempt - 1, process_id = NULL, lease_until = NULL
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
      AND cancel_reason IS NULL
    RETURNING run_id AS id
"""
PARK: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'waiting', error = %(error)s, process_id = NULL, lease_until = NULL
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
      AND cancel_reason IS NULL
    RETURNING run_id AS id
"""


async def settle(connection: Connection, lease: Lease, outcome: Outcome) -> bool:
    """Record how the attempt ended; False when the lease is lost.

    What would bring a run back that somebody wants ended cancels it instead.
    """
    statement, parameters = _settlement(outcome)
    place = {"run_id": lease.run_id, "epoch": lease.epoch}
    found = await row(connection, statement, {**parameters, **place})
    if found is None:
        found = await row(connection, CANCEL, {"reason": None, **place})
    return found is not None


def _settlement(outcome: Outcome) -> tuple[LiteralString, dict[str, Any]]:
    match outcome:
        case Succeeded(output, verified):
            return FINISH, _ending("succeeded", output=output, executed=True, verified=verified)
        case Failed(error, None, verified):
            executed = error.get("code") == "not_verified"
            return FINISH, _ending("failed", error=error, executed=executed, verified=verified)
        case Failed(error, rest, _):
            return RETRY, {"error": Jsonb(dict(error)), "rest": timedelta(seconds=rest or 0)}
        case Released():
            return RELEASE, {}
        case Parked(error):
            return PARK, {"error": Jsonb(dict(error))}
        case Cancelled(reason):
            return CANCEL, {"reason": reason}
    assert_never(outcome)


def _ending(
    state: str,
    *,
    output: Any = None,
    error: Any = None,
    executed: bool | None = None,
    verified: bool | None = None,
) -> dict[str, Any]:
    return {
        "state": state,
        "output": Jsonb(output),
        "error": Jsonb(dict(error)) if error else None,
        "executed": executed,
        "verified": verified,
    }
