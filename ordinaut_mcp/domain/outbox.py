"""Events on their way from the outbox to the spine, and the numbers that keep their order.

Each shard has a *position* in PostgreSQL, which only grows, and a *reached* number in Redis, which
an accident may throw back. To begin a batch raises the position to a new odd number, k; to mark
its rows with k raises it to k + 1. Both are refused when the position is another than the relay
last saw. Redis takes batch k only where it has reached exactly the number that the relay found
there, and reaches k in the same step. From this follows, whoever else does what meanwhile:

- A number is begun once, so that "Redis has reached k" names one content of the stream.
- Whatever is marked with k or less is in every stream that has reached k: it was marked before k
  was begun, and then the relay had made sure that nothing was marked beyond the number that it
  expected Redis to have reached.
- A batch is the rows with the lowest ids that are not marked. Of each run, every earlier event is
  therefore in the stream already or before it in the batch.

Leases only keep relays from doing the same work twice; nothing of the above rests on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ordinaut_mcp.domain.run import ProcessId, RunId, TaskId

NOTHING_REACHED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """One row of the outbox, and one entry of the spine."""

    id: int
    topic: str
    owner: str
    task_id: TaskId | None
    run_id: RunId | None
    sequence: int | None
    """Counts the events of one run from 1."""
    at: datetime
    data: str
    """JSON, as PostgreSQL wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A relay's right to publish one shard, as long as the shard's position is this."""

    process: ProcessId
    shard: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One batch on its way to a stream: what Redis must have reached, and will have then."""

    deployment: str
    shard: int
    expected: int
    number: int


@dataclass(frozen=True, slots=True)
class Published:
    """The whole batch is in the stream."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing was published: the stream has reached this number, not the expected one."""

    reached: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """Nothing was published: the stream belongs to another deployment of Ordinaut."""

    deployment: str


def next_number(position: int, reached: int) -> int:
    """The number of the next batch: odd, and beyond all that was ever begun or reached."""
    return (max(position, reached) + 1) | 1


def marked_up_to(position: int) -> int:
    """No row is marked with a number above this one.

    Even: the last batch is marked. Odd: it was begun, and is not marked.
    """
    return position - 1 if position % 2 == 0 else position - 2
