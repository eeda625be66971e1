"""What the store promises of the queue, as questions whose answers are the broken promises."""

from __future__ import annotations

from typing import Final, LiteralString

CLEAN: Final[LiteralString] = """
    TRUNCATE ordinaut.agent, ordinaut.task, ordinaut.task_revision, ordinaut.slot,
             ordinaut.due_work, ordinaut.run, ordinaut.step, ordinaut.permit, ordinaut.outbox,
             ordinaut.setting, ordinaut.message, ordinaut.event
"""
LIVE: Final[LiteralString] = "SELECT run_id, epoch, state FROM ordinaut.due_work"
STEPS: Final[LiteralString] = """
    SELECT run_id, path, output FROM ordinaut.step WHERE state = 'succeeded'
"""
# What somebody may send on.
HALTED: Final[LiteralString] = """
    SELECT r.id FROM ordinaut.run r LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
    WHERE r.state IN ('failed', 'canceled') OR d.state IN ('waiting', 'retrying')
    ORDER BY r.id
"""
# What a claim must find: due, not behind an earlier run of its task, with a place where it
# needs one.
CLAIMABLE: Final[LiteralString] = """
    SELECT d.run_id FROM ordinaut.due_work d
    WHERE d.state IN ('queued', 'retrying') AND d.run_at <= ordinaut.now()
      AND NOT (d.serial AND EXISTS (
          SELECT FROM ordinaut.due_work e
          WHERE e.task_id = d.task_id AND e.run_id <> d.run_id
            AND (e.run_id < d.run_id OR e.state = 'running')))
      AND (NOT d.needs_permit OR EXISTS (
          SELECT FROM ordinaut.permit p
          WHERE p.owner = d.owner AND p.key = d.concurrency_key AND p.run_id IS NULL
            AND p.place <= d.max_concurrent))
"""
PROMISES: Final[dict[LiteralString, LiteralString]] = {
    "whoever runs under a key holds one of its first places, and nobody else does": """
        SELECT d.run_id, p.* FROM ordinaut.due_work d
        FULL JOIN ordinaut.permit p ON p.run_id = d.run_id
        WHERE (p.run_id IS NOT NULL OR p.place IS NULL)
          AND (d.state = 'running' AND d.concurrency_key IS NOT NULL AND p.run_id IS NULL
               OR p.run_id IS NOT NULL AND (
                   d.run_id IS NULL OR d.state NOT IN ('running', 'retrying') OR d.needs_permit
                   OR p.owner <> d.owner OR p.key IS DISTINCT FROM d.concurrency_key
                   OR p.place > d.max_concurrent))
    """,
    "a run that rests under a key holds its place or needs one": """
        SELECT d.run_id FROM ordinaut.due_work d
        WHERE d.concurrency_key IS NOT NULL AND d.state <> 'running'
          AND d.needs_permit = EXISTS (SELECT FROM ordinaut.permit p WHERE p.run_id = d.run_id)
    """,
    "a run that runs belongs to a process, and no other": """
        SELECT run_id FROM ordinaut.due_work
        WHERE (state = 'running') <> (process_id IS NOT NULL)
           OR (state = 'running') <> (lease_until IS NOT NULL)
    """,
    "of the serial runs of a task one runs at a time": """
        SELECT task_id FROM ordinaut.due_work
        WHERE serial AND state = 'running' GROUP BY task_id HAVING count(*) > 1
    """,
    "every run is either live or finished": """
        SELECT r.id FROM ordinaut.run r LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
        WHERE (r.state = 'queued') <> (d.run_id IS NOT NULL)
           OR (r.state = 'queued') <> (r.finished_at IS NULL)
    """,
    "what is live has its run": """
        SELECT d.run_id FROM ordinaut.due_work d
        LEFT JOIN ordinaut.run r ON r.id = d.run_id AND r.created_at = d.run_created_at
        WHERE r.id IS NULL
    """,
    "the events of a run are counted from one without gap": """
        SELECT r.id, o.told FROM ordinaut.run r LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(sequence ORDER BY id), '{}') AS told
            FROM ordinaut.outbox WHERE run_id = r.id) AS o
        WHERE o.told <> ARRAY(SELECT generate_series(1, coalesce(d.events, r.events)))
    """,
    "the epoch of a finished run is kept": """
        SELECT r.id FROM ordinaut.run r
        WHERE r.state <> 'queued'
          AND r.epoch < (SELECT max(s.epoch) FROM ordinaut.step s WHERE s.run_id = r.id)
    """,
    "counts are not negative": """
        SELECT run_id FROM ordinaut.due_work WHERE least(attempt, failures, crashes) < 0
    """,
}
# One question for all of them.
BROKEN: Final[LiteralString] = " UNION ALL ".join(
    "SELECT '" + promise + "' AS promise WHERE EXISTS (" + question + ")"
    for promise, question in PROMISES.items()
)
