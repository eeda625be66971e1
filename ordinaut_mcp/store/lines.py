"""Lines of the journal as parameters and as SQL: every statement that writes them shares this."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from ordinaut_mcp.domain.run import JournalEntry, JournalLine, Lease, Settlement

# What was buffered happened a moment ago: its instants are told as ages, so that the database's
# clock decides them, too. JSON, because a list of a thousand values is dear as an array.
given_lines: Final[LiteralString] = """
    given_lines AS (
        SELECT l.*, clock_timestamp() + (ordinaut.now() - now()) AS stamp
        FROM json_to_recordset(%(lines)s::json) AS l (
            run bigint, epoch bigint, path text, position int, uses text, state text,
            attempt int, input jsonb, output jsonb, error jsonb, began float8, ended float8)
    )"""
# Follows a CTE `held` (run_id, run_created_at, epoch) of the leases that are still held. An
# intent carries the error of the attempt before it, which knows how many failures there were.
written_lines: Final[LiteralString] = """
    written AS (
        INSERT INTO ordinaut.step AS s (run_id, run_created_at, path, position, uses, state,
                                        attempt, epoch, input, output, error, started_at,
                                        finished_at)
        SELECT held.run_id, held.run_created_at, l.path, l.position, l.uses, l.state, l.attempt,
               l.epoch, l.input, l.output, l.error, l.stamp - make_interval(secs => l.began),
               l.stamp - make_interval(secs => l.ended)
        FROM given_lines l JOIN held ON held.run_id = l.run AND held.epoch = l.epoch
        ON CONFLICT (run_id, path, run_created_at) DO UPDATE
        SET state = excluded.state, attempt = excluded.attempt, epoch = excluded.epoch,
            input = coalesce(excluded.input, s.input), output = excluded.output,
            error = excluded.error,
            finished_at = excluded.finished_at
        WHERE s.state <> 'succeeded'
    )"""


def as_json(value: Any) -> str:
    """JSON text; what is stored was cleaned before (domain/clean.py)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_rows(entries: Sequence[JournalEntry | Settlement]) -> str:
    """The lines of all entries, for `given_lines`."""
    now = time.monotonic()
    return as_json(
        [_row(entry.lease, line, now) for entry in entries for line in _newest(entry.lines)]
    )


def _row(lease: Lease, line: JournalLine, now: float) -> dict[str, Any]:
    record = line.record
    return {
        "run": lease.run_id,
        "epoch": lease.epoch,
        "path": record.path,
        "position": record.position,
        "uses": record.uses,
        "state": record.state.value,
        "attempt": record.attempt,
        "input": record.input,
        "output": record.output,
        "error": plain(record.error),
        "began": now - line.began,
        "ended": None if line.ended is None else now - line.ended,
    }


def _newest(lines: Sequence[JournalLine]) -> Sequence[JournalLine]:
    """The last line of each step: one statement writes a row once."""
    if len(lines) < 2:
        return lines
    return list({line.record.path: line for line in lines}.values())


def plain(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An error as JSON has it."""
    return dict(error) if error else None
