"""Slots in PostgreSQL: due tasks are locked, their slots become runs or skips, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.decision import Accounted, DueTask, NewRun, SkippedSlots, StaleTask
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.domain.zone import to_local
from ordinaut_mcp.ports import Account, Recompute
from ordinaut_mcp.store.cancels import yield_to_newer
from ordinaut_mcp.store.lines import as_json
from ordinaut_mcp.store.permits import make_permits
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction

# SKIP LOCKED lets schedulers work side by side, and leaves alone a task that is being edited:
# the edit sets its own next_run_at, and the task is due again right after. What was ordered by
# hand or for the past never uses up a slot: it is no overlap, the slot's run waits its turn.
DUE: Final[LiteralString] = """
    SELECT t.id, t.owner, t.generation, t.next_run_at, t.runs_started, r.definition,
           ordinaut.now() AS now,
           (SELECT count(*) FROM ordinaut.due_work d
            JOIN ordinaut.run e ON e.id = d.run_id AND e.created_at = d.run_created_at
            WHERE d.task_id = t.id AND e.kind IN ('schedule', 'event')
              AND NOT (d.state = 'queued' AND d.run_at > ordinaut.now())
           ) AS live_runs
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.status = 'active' AND t.next_run_at <= ordinaut.now()
      AND NOT EXISTS (SELECT FROM ordinaut.setting WHERE name = 'paused')
    ORDER BY t.next_run_at
    LIMIT %(limit)s
    FOR UPDATE OF t SKIP LOCKED
"""
# Nothing is locked: what changes until then is computed anew.
AHEAD: Final[LiteralString] = """
    SELECT t.id, t.generation, t.next_run_at, t.runs_started, r.definition, 0 AS live_runs
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.status = 'active' AND t.next_run_at <= ordinaut.now() + %(within)s
      AND (t.next_run_at, t.id) > (coalesce(%(at)s, ordinaut.now()), %(id)s::bigint)
    ORDER BY t.next_run_at, t.id
    LIMIT %(limit)s
"""
NEXT: Final[LiteralString] = """
    SELECT min(next_run_at) - ordinaut.now() AS wait
    FROM ordinaut.task
    WHERE status = 'active' AND next_run_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM ordinaut.setting WHERE name = 'paused')
"""
# The slot decides: a run is made only where the slot was new.
MAKE_RUNS: Final[LiteralString] = """
    WITH wanted AS (
        SELECT * FROM unnest(
            %(task_id)s::bigint[], %(generation)s::int[], %(owner)s::text[], %(slot)s::text[],
            %(kind)s::text[], %(scheduled_for)s::timestamptz[], %(due_at)s::timestamptz[],
            %(priority)s::smallint[], %(serial)s::boolean[], %(params)s::jsonb[],
            %(limit_key)s::text[], %(places)s::smallint[]
        ) AS w (task_id, generation, owner, slot, kind, scheduled_for, due_at, priority, serial,
                params, limit_key, places)
    ), fresh AS (
        INSERT INTO ordinaut.slot (task_id, key, run_id)
        SELECT task_id, slot, nextval('ordinaut.run_id') FROM wanted
        ON CONFLICT DO NOTHING
        RETURNING task_id, key, run_id
    ), made AS (
        INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state,
                                  scheduled_for, due_at, params)
        SELECT f.run_id, ordinaut.now(), w.task_id, w.generation, w.owner, w.kind, 'queued',
               w.scheduled_for, w.due_at, coalesce(w.params, '{}')
        FROM fresh f JOIN wanted w ON w.task_id = f.task_id AND w.slot = f.key
    )
    INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority, state,
                                   serial, generation, kind, scheduled_for, params,
                                   concurrency_key, max_concurrent, needs_permit)
    SELECT f.run_id, ordinaut.now(), w.task_id, w.owner, w.due_at, w.priority, 'queued', w.serial,
           w.generation, w.kind, w.scheduled_for, w.params, w.limit_key, w.places,
           w.limit_key IS NOT NULL
    FROM fresh f JOIN wanted w ON w.task_id = f.task_id AND w.slot = f.key
    RETURNING run_id, task_id
"""
# A long run keeps slot after slot out: as long as nothing comes in between they are one stretch.
WRITE_SKIPS: Final[LiteralString] = """
    WITH given AS (
        SELECT s.*, row_number() OVER (PARTITION BY s.task_id ORDER BY s.first) AS place
        FROM unnest(
            %(task_id)s::bigint[], %(generation)s::int[], %(owner)s::text[], %(reason)s::text[],
            %(first)s::timestamptz[], %(last)s::timestamptz[], %(count)s::bigint[],
            %(is_exact)s::boolean[]
        ) AS s (task_id, generation, owner, reason, first, last, count, is_exact)
    ), grown AS (
        UPDATE ordinaut.run r
        SET skipped_until = g.last, skipped_count = r.skipped_count + g.count,
            skipped_is_exact = r.skipped_is_exact AND g.is_exact, finished_at = ordinaut.now()
        FROM given g
        CROSS JOIN LATERAL (
            SELECT n.id, n.created_at FROM ordinaut.run n
            WHERE n.task_id = g.task_id ORDER BY n.id DESC LIMIT 1
        ) AS newest
        WHERE g.reason = 'overlap' AND g.place = 1
          AND r.id = newest.id AND r.created_at = newest.created_at AND r.state = 'skipped'
          AND r.reason = g.reason AND r.generation = g.generation AND r.skipped_until < g.first
        RETURNING g.task_id, g.first
    ), made AS (
        INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state, reason,
                                  scheduled_for, due_at, skipped_until, skipped_count,
                                  skipped_is_exact, finished_at, events)
        SELECT nextval('ordinaut.run_id'), ordinaut.now(), s.task_id, s.generation, s.owner,
               'schedule', 'skipped', s.reason, s.first, s.first, s.last, s.count, s.is_exact,
               ordinaut.now(), 1
        FROM given s
        WHERE NOT EXISTS (SELECT FROM grown w WHERE w.task_id = s.task_id AND w.first = s.first)
        RETURNING id, owner, task_id, reason
    )
    INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
    SELECT mod(id, 8), owner, 'run.skipped', task_id, id, 1, ordinaut.told(NULL, reason, NULL)
    FROM made
"""
# Only for the schedule that the slots belong to: another one begins with a clean sheet.
NOTE_NEWEST: Final[LiteralString] = """
    UPDATE ordinaut.task t
    SET last_slot_at = %(at)s, last_slot_local = %(local)s
    FROM ordinaut.task_revision r
    WHERE t.id = %(id)s AND r.task_id = t.id AND r.generation = t.generation
      AND r.definition -> 'schedule' = %(schedule)s
      AND (t.last_slot_at IS NULL OR t.last_slot_at < %(at)s)
"""
ADVANCE: Final[LiteralString] = """
    UPDATE ordinaut.task t
    SET next_run_at = a.next_run_at, status = a.status, note = coalesce(a.note, t.note),
        tz_version = a.tz_version, runs_started = t.runs_started + a.runs,
        last_slot_at = coalesce(a.last_slot_at, t.last_slot_at),
        last_slot_local = coalesce(a.last_slot_local, t.last_slot_local)
    FROM unnest(
        %(task_id)s::bigint[], %(next_run_at)s::timestamptz[], %(status)s::text[],
        %(note)s::text[], %(tz_version)s::text[], %(runs)s::int[],
        %(last_slot_at)s::timestamptz[], %(last_slot_local)s::timestamp[]
    ) AS a (task_id, next_run_at, status, note, tz_version, runs, last_slot_at, last_slot_local)
    WHERE t.id = a.task_id
"""


STALE: Final[LiteralString] = """
    SELECT t.id, t.next_run_at, t.last_slot_at, t.last_slot_local, t.note, t.status, r.definition,
           r.created_at AS revised_at
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.status IN ('active', 'paused') AND t.tz_version <> %(tz_version)s
      AND t.next_run_at IS NOT NULL
    ORDER BY t.id
    LIMIT %(limit)s
    FOR UPDATE OF t SKIP LOCKED
"""
REZONE: Final[LiteralString] = """
    UPDATE ordinaut.task t
    SET next_run_at = a.next_run_at, status = coalesce(a.status, t.status),
        note = coalesce(a.note, t.note), tz_version = %(tz_version)s
    FROM unnest(%(task_id)s::bigint[], %(next_run_at)s::timestamptz[], %(status)s::text[],
                %(note)s::text[]) AS a (task_id, next_run_at, status, note)
    WHERE t.id = a.task_id
"""


class PostgresSlots:
    """The `SlotStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def materialise(self, account: Account, *, limit: int) -> int:
        """Account for the slots of up to `limit` due tasks; how many tasks were due."""
        async with transaction(self._pool) as connection:
            due = await rows(connection, DUE, {"limit": limit})
            accounted = [(found, account(_due(found), found["now"])) for found in due]
            await _write(connection, accounted)
        return len(due)

    async def ahead(
        self, *, within: timedelta, beyond: DueTask | None, limit: int
    ) -> Sequence[DueTask]:
        """Tasks that will be due within this span, in order, beginning after `beyond`."""
        parameters = {
            "within": within,
            "at": beyond and beyond.next_run_at,
            "id": beyond.id if beyond else 0,
            "limit": limit,
        }
        async with connected(self._pool) as connection:
            return [_due(found) for found in await rows(connection, AHEAD, parameters)]

    async def rezone(self, recompute: Recompute, *, tz_version: str, limit: int) -> int:
        """Compute anew what another release of tzdata computed; how many tasks it were."""
        async with transaction(self._pool) as connection:
            parameters = {"tz_version": tz_version, "limit": limit}
            stale = await rows(connection, STALE, parameters)
            anew = [(found["id"], recompute(_stale(found))) for found in stale]
            await connection.execute(
                REZONE,
                {
                    "tz_version": tz_version,
                    "task_id": [task for task, _ in anew],
                    "next_run_at": [result.next_run_at for _, result in anew],
                    "status": [result.status for _, result in anew],
                    "note": [result.note for _, result in anew],
                },
            )
        return len(stale)

    async def next_due_in(self) -> timedelta | None:
        """Until the next slot of any task by the database's clock; None: none to come."""
        async with connected(self._pool) as connection:
            found = await row(connection, NEXT)
        return found["wait"] if found else None


async def write_skips(connection: Connection, task: Task, skips: Sequence[SkippedSlots]) -> None:
    """Record what did not run, inside the caller's transaction."""
    if not skips:
        return
    origin = {"id": task.id, "generation": task.generation, "owner": task.owner}
    await _insert_skips(connection, [(origin, skip) for skip in skips])
    schedule, newest = computable(task.definition.schedule), max(skip.last for skip in skips)
    await connection.execute(
        NOTE_NEWEST,
        {
            "id": task.id,
            "at": newest,
            "local": to_local(newest, schedule.tz),
            "schedule": Jsonb(schedule.to_dict()),
        },
    )


async def make_runs(
    connection: Connection, wanted: Sequence[tuple[Mapping[str, Any], NewRun]]
) -> list[DictRow]:
    """Make the runs whose slots are new, inside the caller's transaction."""
    if not wanted:
        return []
    await make_permits(
        connection, [(task["owner"], run.limit) for task, run in wanted if run.limit]
    )
    return await rows(
        connection,
        MAKE_RUNS,
        {
            "task_id": [task["id"] for task, _ in wanted],
            "generation": [task["generation"] for task, _ in wanted],
            "owner": [task["owner"] for task, _ in wanted],
            "slot": [run.slot_key for _, run in wanted],
            "kind": [run.kind for _, run in wanted],
            "scheduled_for": [run.scheduled_for for _, run in wanted],
            "due_at": [run.due_at for _, run in wanted],
            "priority": [run.priority for _, run in wanted],
            "serial": [run.serial for _, run in wanted],
            "params": [as_json(dict(run.params)) if run.params else None for _, run in wanted],
            "limit_key": [run.limit and run.limit.key for _, run in wanted],
            "places": [run.limit and run.limit.places for _, run in wanted],
        },
    )


async def _write(connection: Connection, accounted: Sequence[tuple[DictRow, Accounted]]) -> None:
    if not accounted:
        return
    made = await make_runs(
        connection, [(task, run) for task, result in accounted for run in result.runs]
    )
    started = Counter(run["task_id"] for run in made)
    yielding = {task["id"] for task, result in accounted if result.ends_older_runs}
    first = {
        task: min(run["run_id"] for run in made if run["task_id"] == task)
        for task in yielding & set(started)
    }
    await yield_to_newer(connection, first)
    await _insert_skips(
        connection, [(task, skip) for task, result in accounted for skip in result.skips]
    )
    await connection.execute(
        ADVANCE,
        {
            "task_id": [task["id"] for task, _ in accounted],
            "next_run_at": [result.next_run_at for _, result in accounted],
            "status": [result.status for _, result in accounted],
            "note": [result.note for _, result in accounted],
            "tz_version": [result.tz_version for _, result in accounted],
            "runs": [started[task["id"]] for task, _ in accounted],
            "last_slot_at": [result.last_slot_at for _, result in accounted],
            "last_slot_local": [result.last_slot_local for _, result in accounted],
        },
    )


async def _insert_skips(
    connection: Connection, skips: Sequence[tuple[Mapping[str, Any], SkippedSlots]]
) -> None:
    if not skips:
        return
    await connection.execute(
        WRITE_SKIPS,
        {
            "task_id": [task["id"] for task, _ in skips],
            "generation": [task["generation"] for task, _ in skips],
            "owner": [task["owner"] for task, _ in skips],
            "reason": [skip.reason for _, skip in skips],
            "first": [skip.first for _, skip in skips],
            "last": [skip.last for _, skip in skips],
            "count": [skip.count for _, skip in skips],
            "is_exact": [skip.is_exact for _, skip in skips],
        },
    )


def _stale(found: DictRow) -> StaleTask:
    return StaleTask(
        id=TaskId(found["id"]),
        definition=found["definition"],
        next_run_at=found["next_run_at"],
        last_slot_at=found["last_slot_at"],
        last_slot_local=found["last_slot_local"],
        revised_at=found["revised_at"],
    )


def _due(found: DictRow) -> DueTask:
    return DueTask(
        id=TaskId(found["id"]),
        generation=found["generation"],
        definition=found["definition"],
        next_run_at=found["next_run_at"],
        runs_started=found["runs_started"],
        live_runs=found["live_runs"],
    )
