"""How an event stands in its stream: the names of the keys, and an entry's fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ordinaut_mcp.domain.instant import utc_text
from ordinaut_mcp.domain.outbox import OutboxEvent
from ordinaut_mcp.domain.run import RunId, TaskId, run_name
from ordinaut_mcp.domain.task import task_name

FIELDS: Final = ("id", "topic", "owner", "task", "run", "sequence", "at", "data")
"""Every entry has all of them; what an event does not have is empty."""


def stream_key(shard: int) -> str:
    """The stream of a shard; the braces keep a shard's keys on one node of a cluster."""
    return f"ordinaut:events:{{{shard}}}"


def position_key(shard: int) -> str:
    """Where Redis notes whose the stream is, and how far."""
    return f"ordinaut:position:{{{shard}}}"


def to_values(event: OutboxEvent) -> tuple[str, ...]:
    """The values of an entry, in the order of `FIELDS`."""
    return (
        str(event.id),
        event.topic,
        event.owner,
        "" if event.task_id is None else task_name(event.task_id),
        "" if event.run_id is None else run_name(event.run_id),
        "" if event.sequence is None else str(event.sequence),
        utc_text(event.at),
        event.data,
    )


def from_fields(fields: Mapping[bytes, bytes]) -> OutboxEvent:
    """The event of an entry.

    Raises:
        KeyError, ValueError: it is none of ours.
    """
    found = {name: fields[name.encode()].decode() for name in FIELDS}
    return OutboxEvent(
        id=int(found["id"]),
        topic=found["topic"],
        owner=found["owner"],
        task_id=TaskId(int(found["task"].removeprefix("task_"))) if found["task"] else None,
        run_id=RunId(int(found["run"].removeprefix("run_"))) if found["run"] else None,
        sequence=int(found["sequence"]) if found["sequence"] else None,
        at=datetime.fromisoformat(found["at"]),
        data=found["data"],
    )
