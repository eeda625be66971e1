"""Runs that are sent on, in PostgreSQL: dead letters, canceled, waiting and retrying ones.

A run keeps its number, its slot and its journal; epochs only grow, so that whoever once held it
stays fenced off.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString, assert_never

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.redrive import MAY_REPEAT, AtOnce, Redrive, Repeat, Sending, Standing
from ordinaut_mcp.domain.run import (
    LIVE,
    RunId,
    RunKind,
    RunState,
    StepRecord,
    StepState,
    TaskId,
    no_such_run,
    run_name,
)
from ordinaut_mcp.domain.task import Overlap, Policies, TaskStatus
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import DecideSending
from ordinaut_mcp.store.permits import make_permits
from ordinaut_mcp.store.pool import Connection, Pool, row, rows, transaction

# Locks are taken in the order of everybody else: due work before its run, a task before its
# runs. A cancel of the task is waited for, or waits; a settlement that pauses it does not.
HOLD_WORK: Final[LiteralString] = """
    SELECT run_id FROM ordinaut.due_work
    WHERE run_id = %(id)s AND owner = %(owner)s
    FOR UPDATE
"""
HOLD_TASK: Final[LiteralString] = """
    SELECT t.id
    FROM ordinaut.task t JOIN ordinaut.run r ON r.task_id = t.id
    WHERE r.id = %(id)s AND r.owner = %(owner)s
    FOR KEY SHARE OF t
"""
HOLD_RUN: Final[LiteralString] = """
    SELECT id FROM ordinaut.run WHERE id = %(id)s AND owner = %(owner)s FOR UPDATE
"""
STANDING: Final[LiteralString] = """
    SELECT r.id, r.created_at, r.task_id, r.owner, r.kind, coalesce(d.state, r.state) AS state,
           t.key, t.status, own.definition -> 'pipeline' AS pipeline,
           newest.definition -> 'policies' AS policies
    FROM ordinaut.run r
    JOIN ordinaut.task t ON t.id = r.task_id
    JOIN ordinaut.task_revision own ON own.task_id = r.task_id AND own.generation = r.generation
    JOIN ordinaut.task_revision newest ON newest.task_id = t.id AND newest.generation = t.generation
    LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
    WHERE r.id = %(id)s AND r.owner = %(owner)s
"""
# Without inputs and outputs: they may be large, and nobody asks for them here.
STEPS: Final[LiteralString] = """
    SELECT path, position, uses, state, error
    FROM ordinaut.step
    WHERE run_id = %(id)s AND run_created_at = %(created_at)s
    ORDER BY position, path
"""
# An older version did not leave its epoch in run; the journal and the attempts know of some.
SEND_AGAIN: Final[LiteralString] = """
    WITH sent AS (
        UPDATE ordinaut.run r
        SET state = 'queued', reason = NULL, finished_at = NULL, error = NULL, output = NULL,
            executed = NULL, verified = NULL, redrive = r.redrive + 1, events = r.events + 1
        WHERE r.id = %(id)s AND r.created_at = %(created_at)s
        RETURNING r.*
    ), forgotten AS (
        DELETE FROM ordinaut.step s
        USING sent
        WHERE s.run_id = sent.id AND s.run_created_at = sent.created_at
          AND s.position >= %(position)s
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(id, 8), owner, 'run.queued', task_id, id, events,
               jsonb_build_object('run', 'run_' || id, 'redrive', redrive)
        FROM sent
    )
    INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority, state,
                                   serial, attempt, epoch, started_at, generation, kind,
                                   scheduled_for, params, redrive, events, concurrency_key,
                                   max_concurrent, needs_permit)
    SELECT id, created_at, task_id, owner, ordinaut.now(), %(priority)s, 'queued', %(serial)s,
           attempt, greatest(epoch, attempt, (SELECT max(s.epoch) FROM ordinaut.step s
                                              WHERE s.run_id = sent.id
                                                AND s.run_created_at = sent.created_at)),
           started_at, generation, kind, scheduled_for, params, redrive, events,
           %(limit_key)s::text, %(places)s, %(limit_key)s::text IS NOT NULL
    FROM sent
    RETURNING run_id
"""
# It has not ended: its place in the queue, its rules and its epoch stay, its permit does not.
SEND_ANEW: Final[LiteralString] = """
    WITH sent AS (
        UPDATE ordinaut.due_work d
        SET state = 'queued', run_at = ordinaut.now(), failures = 0, crashes = 0, error = NULL,
            redrive = d.redrive + 1, events = d.events + 1,
            needs_permit = d.concurrency_key IS NOT NULL
        WHERE d.run_id = %(id)s AND d.state IN ('waiting', 'retrying')
        RETURNING d.*
    ), noted AS (
        UPDATE ordinaut.run r SET redrive = sent.redrive
        FROM sent WHERE r.id = sent.run_id AND r.created_at = sent.run_created_at
    ), freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM sent WHERE p.run_id = sent.run_id
    ), forgotten AS (
        DELETE FROM ordinaut.step s
        USING sent
        WHERE s.run_id = sent.run_id AND s.run_created_at = sent.run_created_at
          AND s.position >= %(position)s
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.queued', task_id, run_id, events,
               jsonb_build_object('run', 'run_' || run_id, 'redrive', redrive)
        FROM sent
    )
    SELECT run_id FROM sent
"""
# The unknown call counts as under way again, so that its journalled input is taken once more.
REPEAT: Final[LiteralString] = """
    WITH sent AS (
        UPDATE ordinaut.due_work d
        SET state = 'queued', run_at = ordinaut.now(), error = NULL, events = d.events + 1,
            needs_permit = d.concurrency_key IS NOT NULL
        WHERE d.run_id = %(id)s AND d.state = 'waiting'
        RETURNING d.*
    ), repeated AS (
        UPDATE ordinaut.step s SET state = 'running', error = %(mark)s, finished_at = NULL
        FROM sent
        WHERE s.run_id = sent.run_id AND s.run_created_at = sent.run_created_at
          AND s.state = 'unknown'
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.queued', task_id, run_id, events,
               jsonb_build_object('run', 'run_' || run_id, 'redrive', redrive)
        FROM sent
    )
    SELECT run_id FROM sent
"""
TRY_NOW: Final[LiteralString] = """
    UPDATE ordinaut.due_work SET run_at = least(run_at, ordinaut.now())
    WHERE run_id = %(id)s AND state = 'retrying'
    RETURNING run_id
"""


class PostgresRedrives:
    """The `RedriveStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def send(self, owner: str, run_id: RunId, *, decide: DecideSending) -> Sending:
        """Send one run on as it is decided; what was decided."""
        place = {"id": run_id, "owner": owner}
        async with transaction(self._pool) as connection:
            is_queued = await row(connection, HOLD_WORK, place) is not None
            if not is_queued:
                await connection.execute(HOLD_TASK, place)
                await connection.execute(HOLD_RUN, place)
            found = await row(connection, STANDING, place)
            if found is None:
                raise no_such_run(run_name(run_id))
            run = await _standing(connection, found, is_held=is_queued)
            decided = decide(run)
            if await _write(connection, found, decided, is_queued=is_queued) is None:
                raise OrdinautError("The run could not be sent on.", hint="Call again.")
        return decided


async def _standing(connection: Connection, found: DictRow, *, is_held: bool) -> Standing:
    state = RunState(found["state"])
    # Due work that was not there a moment ago: somebody else has just sent this run on.
    state = RunState.QUEUED if state in LIVE and not is_held else state
    place = {"id": found["id"], "created_at": found["created_at"]}
    journal = [_record(line) for line in await rows(connection, STEPS, place)]
    return Standing(
        run_id=RunId(found["id"]),
        state=state,
        task_id=TaskId(found["task_id"]),
        task_key=found["key"],
        task_status=TaskStatus(found["status"]),
        steps=[step["id"] for step in found["pipeline"]],
        journal={record.path: record for record in journal},
    )


def _record(line: DictRow) -> StepRecord:
    return StepRecord(
        path=line["path"],
        position=line["position"],
        uses=line["uses"],
        state=StepState(line["state"]),
        error=line["error"],
    )


async def _write(
    connection: Connection, found: DictRow, decided: Sending, *, is_queued: bool
) -> DictRow | None:
    place = {"id": found["id"], "created_at": found["created_at"]}
    match decided:
        case Redrive(position=position) if is_queued:
            return await row(connection, SEND_ANEW, {**place, "position": position})
        case Redrive(position=position):
            rules = await _rules(connection, found)
            return await row(connection, SEND_AGAIN, {**place, **rules, "position": position})
        case Repeat():
            return await row(connection, REPEAT, {**place, "mark": Jsonb(MAY_REPEAT)})
        case AtOnce():
            return await row(connection, TRY_NOW, place)
    assert_never(decided)


async def _rules(connection: Connection, found: DictRow) -> dict[str, Any]:
    """The rules of the task as it is now, with the permits that they ask for."""
    rules = Policies.from_dict(found["policies"])
    limit = rules.limit(found["task_id"])
    await make_permits(connection, [(found["owner"], limit)] if limit else [])
    waits_in_line = RunKind(found["kind"]) in {RunKind.SCHEDULE, RunKind.EVENT}
    return {
        "priority": rules.priority,
        "serial": waits_in_line and rules.overlap is not Overlap.ALLOW,
        "limit_key": limit and limit.key,
        "places": limit and limit.places,
    }
