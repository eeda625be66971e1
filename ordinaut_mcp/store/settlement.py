"""How attempts end, in PostgreSQL: finished, or back in the queue, fenced by their leases.

One statement for a whole batch: it removes the due work, writes the history, the journal and the
events, and gives permits back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, assert_never

from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    Lease,
    Outcome,
    Parked,
    Released,
    Settlement,
    Succeeded,
)
from ordinaut_mcp.store.lines import as_json, as_rows, given_lines, plain, written_lines
from ordinaut_mcp.store.pool import Connection, rows

# A run that ends as canceled without a reason of its own ends by the one that somebody gave.
FINISH: Final[LiteralString] = (
    "WITH"
    + given_lines
    + """, given AS (
        SELECT * FROM json_to_recordset(%(given)s::json) AS g (
            run_id bigint, epoch bigint, state text, reason text, output jsonb, error jsonb,
            executed boolean, verified boolean)
    ), locked AS (
        SELECT d.run_id
        FROM given g CROSS JOIN LATERAL (
            SELECT d.run_id FROM ordinaut.due_work d
            WHERE d.run_id = g.run_id AND d.epoch = g.epoch AND d.state = 'running'
              AND (g.state <> 'canceled' OR coalesce(g.reason, d.cancel_reason) IS NOT NULL)
            FOR UPDATE
        ) AS d
    ), held AS (
        DELETE FROM ordinaut.due_work d USING given g
        WHERE d.run_id = ANY (ARRAY(SELECT run_id FROM locked))
          AND g.run_id = d.run_id AND g.epoch = d.epoch
        RETURNING d.run_id, d.run_created_at, d.task_id, d.owner, d.epoch, d.redrive, d.started_at,
                  d.attempt, d.events + 1 AS events, d.concurrency_key, g.state,
                  coalesce(g.reason, CASE WHEN g.state = 'canceled' THEN d.cancel_reason END)
                      AS reason,
                  coalesce(g.error, CASE WHEN g.state = 'canceled' THEN d.error END) AS error,
                  g.output, g.executed, g.verified
    ),"""
    + written_lines
    + """, freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM held WHERE p.run_id = held.run_id AND held.concurrency_key IS NOT NULL
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.' || state, task_id, run_id, events,
               ordinaut.told(attempt, reason, error)
        FROM held
    )
    UPDATE ordinaut.run r
    SET state = held.state, reason = held.reason, started_at = held.started_at,
        finished_at = ordinaut.now(), attempt = held.attempt, output = held.output,
        error = held.error, executed = held.executed, verified = held.verified,
        epoch = held.epoch, events = held.events
    FROM held
    WHERE r.id = held.run_id AND r.created_at = held.run_created_at
    RETURNING held.run_id, held.epoch
"""
)
# With a step under way: it was sent, and nobody knows what came of it.
LEAVE_OPEN: Final[LiteralString] = """
    UPDATE ordinaut.step s SET state = 'unknown', finished_at = ordinaut.now()
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS g (run_id, created_at)
    WHERE s.run_id = g.run_id AND s.run_created_at = g.created_at AND s.state = 'running'
"""
# A run that somebody wants ended does not come back to the queue. A retrying run keeps its
# permit; a queued one and one that waits hold none.
RETURN: Final[LiteralString] = (
    "WITH"
    + given_lines
    + """, given AS (
        SELECT g.*, make_interval(secs => g.rest_seconds) AS rest
        FROM json_to_recordset(%(given)s::json) AS g (
            run_id bigint, epoch bigint, state text, error jsonb, rest_seconds float8)
    ), locked AS (
        SELECT d.run_id
        FROM given g CROSS JOIN LATERAL (
            SELECT d.run_id FROM ordinaut.due_work d
            WHERE d.run_id = g.run_id AND d.epoch = g.epoch AND d.state = 'running'
              AND d.cancel_reason IS NULL
            FOR UPDATE
        ) AS d
    ), held AS (
        UPDATE ordinaut.due_work d
        SET state = g.state, process_id = NULL, lease_until = NULL,
            error = coalesce(g.error, d.error),
            failures = d.failures + CASE WHEN g.state = 'retrying' THEN 1 ELSE 0 END,
            attempt = d.attempt - CASE WHEN g.state = 'queued' THEN 1 ELSE 0 END,
            run_at = coalesce(ordinaut.now() + g.rest, d.run_at),
            needs_permit = d.concurrency_key IS NOT NULL AND g.state <> 'retrying',
            events = d.events + CASE WHEN g.state = 'queued' THEN 0 ELSE 1 END
        FROM given g
        WHERE d.run_id = ANY (ARRAY(SELECT run_id FROM locked))
          AND g.run_id = d.run_id AND g.epoch = d.epoch
        RETURNING d.run_id, d.run_created_at, d.task_id, d.owner, d.epoch, d.attempt, d.events,
                  d.needs_permit, d.state, d.error
    ),"""
    + written_lines
    + """, freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM held WHERE p.run_id = held.run_id AND held.needs_permit
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.' || state, task_id, run_id, events,
               ordinaut.told(attempt, NULL, error)
        FROM held WHERE state <> 'queued'
    )
    SELECT run_id, epoch FROM held
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """What FINISH writes of one run."""

    state: str
    reason: str | None = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    executed: bool | None = None
    verified: bool | None = None

    def row(self) -> dict[str, Any]:
        """As FINISH reads it."""
        return {
            "state": self.state,
            "reason": self.reason,
            "output": self.output,
            "error": plain(self.error),
            "executed": self.executed,
            "verified": self.verified,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Return:
    """What RETURN writes of one run."""

    state: str
    error: Mapping[str, Any] | None = None
    rest_seconds: float | None = None

    def row(self) -> dict[str, Any]:
        """As RETURN reads it."""
        return {
            "state": self.state,
            "error": plain(self.error),
            "rest_seconds": self.rest_seconds,
        }


def _written(outcome: Outcome) -> _Ending | _Return:
    match outcome:
        case Succeeded(output, verified):
            return _Ending(state="succeeded", output=output, executed=True, verified=verified)
        case Failed(error, None, verified):
            executed = error.get("code") == "not_verified"
            return _Ending(state="failed", error=error, executed=executed, verified=verified)
        case Cancelled(reason):
            return _Ending(state="canceled", reason=reason)
        case Failed(error, rest, _):
            return _Return(state="retrying", error=error, rest_seconds=rest)
        case Released():
            return _Return(state="queued")
        case Parked(error):
            return _Return(state="waiting", error=error)
    assert_never(outcome)


async def settle(connection: Connection, batch: Sequence[Settlement]) -> set[Lease]:
    """Record how the attempts ended, inside the caller's transaction; the leases that are lost.

    What would bring a run back that somebody wants ended cancels it instead.
    """
    endings: list[tuple[Settlement, _Ending]] = []
    returns: list[tuple[Settlement, _Return]] = []
    # In one order, as heartbeats lock them, row by row through the key.
    for one in sorted(batch, key=lambda one: one.lease.run_id):
        match _written(one.outcome):
            case _Ending() as ending:
                endings.append((one, ending))
            case _Return() as back:
                returns.append((one, back))
    refused = await _returned(connection, returns)
    endings += [(one, _Ending(state="canceled")) for one in refused]
    return {one.lease for one in await _finished(connection, endings)}


async def _finished(
    connection: Connection, endings: Sequence[tuple[Settlement, _Ending]]
) -> Sequence[Settlement]:
    if not endings:
        return ()
    parameters = _parameters(endings)
    canceled = [one.lease for one, ending in endings if ending.state == "canceled"]
    lost = _lost(endings, await rows(connection, FINISH, parameters))
    if canceled:
        gone = {one.lease for one in lost}
        open_ones = [lease for lease in canceled if lease not in gone]
        ids = [lease.run_id for lease in open_ones]
        await leave_open(connection, ids, [lease.created_at for lease in open_ones])
    return lost


async def _returned(
    connection: Connection, returns: Sequence[tuple[Settlement, _Return]]
) -> Sequence[Settlement]:
    if not returns:
        return ()
    return _lost(returns, await rows(connection, RETURN, _parameters(returns)))


async def leave_open(
    connection: Connection, ids: Sequence[int], created: Sequence[datetime]
) -> None:
    """What these runs had under way has an unknown outcome."""
    if ids:
        await connection.execute(LEAVE_OPEN, {"ids": list(ids), "created": list(created)})


def _parameters(given: Sequence[tuple[Settlement, _Ending | _Return]]) -> dict[str, str]:
    rows_given = [
        {"run_id": one.lease.run_id, "epoch": one.lease.epoch, **written.row()}
        for one, written in given
    ]
    return {"given": as_json(rows_given), "lines": as_rows([one for one, _ in given])}


def _lost(given: Sequence[tuple[Settlement, object]], found: Sequence[Any]) -> list[Settlement]:
    kept = {(one["run_id"], one["epoch"]) for one in found}
    return [one for one, _ in given if (one.lease.run_id, one.lease.epoch) not in kept]
