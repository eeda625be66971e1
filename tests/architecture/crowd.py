"""A crowded queue: 30 owners, 3,000 tasks, nine priorities, every state, limits, most of it later.

Every 50th run is running under epoch 1. Nothing else in the table is told by its number.
"""

from __future__ import annotations

from typing import Final, LiteralString

import psycopg
from psycopg.rows import TupleRow

OWNERS: Final = 30
PRIORITIES: Final = 9

TASKS: Final[LiteralString] = """
    WITH agent AS (
        INSERT INTO ordinaut.agent (name)
        SELECT 'owner-' || n FROM generate_series(1, 30) n RETURNING name
    ), task AS (
        INSERT INTO ordinaut.task (owner, title, status, tz_version, pipeline_digest)
        SELECT name, 'Test', 'active', '2026f', '' FROM agent, generate_series(1, 100)
        RETURNING id, owner
    )
    INSERT INTO ordinaut.permit (owner, key, place)
    SELECT owner, 'task:' || id, place FROM task, generate_series(1, 3) place
"""
WORK: Final[LiteralString] = """
    WITH numbered AS (SELECT id, owner, row_number() OVER () - 1 AS number FROM ordinaut.task)
    INSERT INTO ordinaut.due_work (
        run_id, run_created_at, task_id, owner, run_at, priority, state, serial, process_id,
        lease_until, attempt, epoch, generation, kind, scheduled_for, concurrency_key,
        max_concurrent, needs_permit)
    SELECT n, ordinaut.now(), t.id, t.owner,
           ordinaut.now() + (n %% 1009 - 200) * interval '1 minute', 1 + n / 7 %% 9, s.state,
           n %% 5 = 0, CASE WHEN s.state = 'running' THEN 1 END,
           CASE WHEN s.state = 'running' THEN ordinaut.now() + interval '1 day' END,
           1, 1, 1, 'manual', ordinaut.now(), CASE WHEN n %% 10 = 3 THEN 'task:' || t.id END,
           CASE WHEN n %% 10 = 3 THEN 3 END, n %% 10 = 3 AND s.state IN ('queued', 'waiting')
    FROM generate_series(1, %(size)s) n
    JOIN numbered t ON t.number = n %% 3000
    CROSS JOIN LATERAL (SELECT CASE WHEN n %% 50 = 1 THEN 'running'
                                    WHEN n %% 20 = 2 THEN 'waiting'
                                    WHEN n %% 11 = 4 THEN 'retrying' ELSE 'queued' END) s (state)
"""
INDEXES: Final[LiteralString] = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'ordinaut' AND tablename = 'due_work' AND indexname <> 'due_work_pkey'
"""
REMEMBER: Final[LiteralString] = """
    CREATE TEMP TABLE busy ON COMMIT DROP AS
    SELECT run_id FROM ordinaut.due_work WHERE state = 'running'
"""
FREE: Final[LiteralString] = """
    UPDATE ordinaut.due_work SET state = 'queued', process_id = NULL
    WHERE run_id IN (SELECT run_id FROM busy)
"""
BUSY: Final[LiteralString] = """
    UPDATE ordinaut.due_work SET state = 'running', process_id = 1
    WHERE run_id IN (SELECT run_id FROM busy)
"""
RUNS: Final[LiteralString] = """
    INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state,
                              scheduled_for, due_at)
    SELECT run_id, run_created_at, task_id, 1, owner, 'manual', 'queued', run_at, run_at
    FROM ordinaut.due_work WHERE run_id <= 20000
"""


def gather(connection: psycopg.Connection[TupleRow], size: int) -> None:
    """Fill the queue with so many unfinished runs, and let the planner know."""
    connection.execute(TASKS)
    # A bulk load: what each row would check, and each index, comes once at the end.
    connection.execute("ALTER TABLE ordinaut.due_work DROP CONSTRAINT due_work_task_id_fkey")
    indexes = connection.execute(INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX ordinaut.{name}".encode())
    connection.execute(WORK, {"size": size})
    for _, made_by in indexes:
        connection.execute(made_by.encode())
    connection.execute(RUNS)
    connection.execute("ANALYZE")


def idle(connection: psycopg.Connection[TupleRow]) -> None:
    """Let the planner believe that nothing runs, and then let a part run all the same."""
    for statement in (REMEMBER, FREE, "ANALYZE ordinaut.due_work", BUSY):
        connection.execute(statement)
