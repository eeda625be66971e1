"""The journal in PostgreSQL: what each step was given, and what came of it.

Every write is guarded by (run, epoch, running), as the queue's are, and a step that is
journalled as succeeded is never written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.run import JournalEntry, JournalLine, Lease, StepRecord, StepState
from ordinaut_mcp.store.lines import as_rows, given_lines, written_lines
from ordinaut_mcp.store.pool import Connection, rows

JOURNAL: Final[LiteralString] = """
    SELECT s.*
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.step s ON s.run_id = c.id AND s.run_created_at = c.created_at
"""
# The guard locks the queue's rows, so that a claim by another and this write are in order. The
# answer is whether the lease is held: a line that is written a second time, because the answer
# of the first write was lost on the way, is no lost lease.
WRITE: Final[LiteralString] = (
    "WITH"
    + given_lines
    + """, held AS (
        SELECT d.run_id, d.run_created_at, d.epoch
        FROM unnest(%(ids)s::bigint[], %(epochs)s::bigint[]) AS g (run_id, epoch)
        CROSS JOIN LATERAL (
            SELECT d.run_id, d.run_created_at, d.epoch FROM ordinaut.due_work d
            WHERE d.run_id = g.run_id AND d.epoch = g.epoch AND d.state = 'running'
            FOR SHARE
        ) AS d
    ),"""
    + written_lines
    + """
    SELECT run_id, epoch FROM held
"""
)


async def write(connection: Connection, entries: Sequence[JournalEntry]) -> set[Lease]:
    """Write the lines; the leases that are lost."""
    entries = _one_for_each_lease(entries)
    parameters = {
        "ids": [entry.lease.run_id for entry in entries],
        "epochs": [entry.lease.epoch for entry in entries],
        "lines": as_rows(entries),
    }
    held = {
        (found["run_id"], found["epoch"]) for found in await rows(connection, WRITE, parameters)
    }
    leases = {entry.lease for entry in entries}
    return {lease for lease in leases if (lease.run_id, lease.epoch) not in held}


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


def _one_for_each_lease(entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """In the order of their runs: rows are locked in one order by everybody."""
    lines: dict[Lease, list[JournalLine]] = {}
    for entry in sorted(entries, key=lambda entry: entry.lease.run_id):
        lines.setdefault(entry.lease, []).extend(entry.lines)
    return [JournalEntry(lease, own) for lease, own in lines.items()]
