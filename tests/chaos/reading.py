"""What a campaign left behind, read into a history: tables, the ledger, the streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, LiteralString, TypeVar, cast

import psycopg
from psycopg.rows import class_row

from tests.chaos.history import (
    Call,
    EntrySeen,
    EventSeen,
    History,
    LiveSeen,
    Order,
    RunSeen,
    Sample,
    SlotSeen,
    StepSeen,
    TaskSeen,
    Write,
)

T = TypeVar("T")
STREAMS: Final = tuple(f"ordinaut:events:{{{shard}}}" for shard in range(8))

TASKS: Final[LiteralString] = """
    SELECT t.id, t.status, r.definition, t.next_run_at
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
"""
SLOTS: Final[LiteralString] = "SELECT task_id, key, run_id FROM ordinaut.slot"
RUNS: Final[LiteralString] = """
    SELECT id, task_id, kind, state, reason, scheduled_for, skipped_until, skipped_count,
           skipped_is_exact, attempt, events, error ->> 'message' AS error
    FROM ordinaut.run
"""
LIVE: Final[LiteralString] = "SELECT run_id, state, events FROM ordinaut.due_work"
STEPS: Final[LiteralString] = """
    SELECT run_id, path, uses, state, output ->> 'call' AS call FROM ordinaut.step
"""
EVENTS: Final[LiteralString] = """
    SELECT id, run_id, sequence, topic, batch IS NOT NULL AS is_published FROM ordinaut.outbox
"""
WRITES: Final[LiteralString] = "SELECT * FROM chaos.written ORDER BY id"
SAMPLE: Final[LiteralString] = """
    SELECT clock_timestamp() AS at,
           (SELECT count(*) FROM ordinaut.slot) AS materialised,
           (SELECT count(*) FROM ordinaut.due_work) AS live,
           (SELECT count(*) FROM ordinaut.run
            WHERE state IN ('succeeded', 'failed', 'canceled')) AS finished
"""


def history_of(
    admin_url: str,
    ledger: Path,
    *,
    redis_url: str | None,
    orders: Sequence[Order],
    samples: Sequence[Sample],
    late: Sequence[str],
) -> History:
    """Everything, from one snapshot; without `redis_url` nothing is published."""
    with psycopg.connect(admin_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return History(
            tasks=_all(connection, TASKS, TaskSeen),
            slots=_all(connection, SLOTS, SlotSeen),
            runs=_all(connection, RUNS, RunSeen),
            live=_all(connection, LIVE, LiveSeen),
            steps=_all(connection, STEPS, StepSeen),
            events=_all(connection, EVENTS, EventSeen),
            entries=_entries(redis_url) if redis_url else None,
            writes=_all(connection, WRITES, Write),
            calls=calls_of(ledger.read_text(encoding="utf-8").splitlines()),
            orders=orders,
            samples=samples,
            late=late,
        )


def sample(admin_url: str) -> Sample:
    """The three numbers, of this moment."""
    with psycopg.connect(admin_url, connect_timeout=2) as connection:
        [found] = _all(connection, SAMPLE, Sample)
        return found


def calls_of(lines: Sequence[str]) -> Sequence[Call]:
    """Calls, each made of the line that it began with and the one that it ended with."""
    told = [json.loads(line) for line in lines]
    ends = {line["call"]: line for line in told if line["what"] == "ended"}
    return [_call(line, ends.get(line["call"])) for line in told if line["what"] == "began"]


def _call(began: Mapping[str, Any], ended: Mapping[str, Any] | None) -> Call:
    return Call(
        id=began["call"],
        tool=began["tool"],
        key=began["key"],
        run_id=int(began["run"].removeprefix("run_")),
        step=began["step"],
        digest=began["digest"],
        began=datetime.fromtimestamp(began["at"], UTC),
        ended=datetime.fromtimestamp(ended["at"], UTC) if ended else None,
        how=ended["how"] if ended else None,
    )


def _all(connection: psycopg.Connection[Any], statement: LiteralString, kind: type[T]) -> list[T]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement).fetchall()


def _entries(redis_url: str) -> Sequence[EntrySeen]:
    import redis

    client = redis.Redis.from_url(redis_url, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]
    read = cast("Callable[[str], list[tuple[str, dict[str, str]]]]", client.xrange)  # pyright: ignore[reportUnknownMemberType]
    try:
        return [entry for stream in STREAMS for entry in _of_stream(stream, read(stream))]
    finally:
        client.close()


def _of_stream(stream: str, found: Sequence[tuple[str, dict[str, str]]]) -> Iterator[EntrySeen]:
    for _, fields in found:
        yield EntrySeen(
            stream=stream,
            event_id=int(fields["id"]),
            run_id=_number(fields.get("run")),
            sequence=_number(fields.get("sequence")),
        )


def _number(text: str | None) -> int | None:
    return int(text.removeprefix("run_")) if text else None
