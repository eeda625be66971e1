"""A world of one shard in which every accident can happen between any two calls of a relay.

PostgreSQL and Redis are a few lists; what relays ask of them waits until the test lets it happen:
at once, after its asker has died, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ordinaut_mcp.domain.outbox import Foreign, Hold, Moved, OutboxEvent, Published, Turn
from ordinaut_mcp.domain.run import ProcessId, RunId
from ordinaut_mcp.runtime.relay_shard import HoldLost, ShardRelay

DEPLOYMENT = "here"
AT = datetime(2026, 11, 22, tzinfo=UTC)
LARGEST_BATCH = 2


def event(number: int, run: int, sequence: int) -> OutboxEvent:
    return OutboxEvent(
        id=number,
        topic="run.started",
        owner="ann",
        task_id=None,
        run_id=RunId(run),
        sequence=sequence,
        at=AT,
        data="{}",
    )


@dataclass
class Row:
    event: OutboxEvent
    batch: int | None = None


class Tables:
    """What PostgreSQL holds of the shard."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.position = 0
        self.holder = ProcessId(0)

    def holds(self, hold: Hold) -> bool:
        return (self.holder, self.position) == (hold.process, hold.position)

    def begin(self, hold: Hold, number: int) -> Sequence[OutboxEvent]:
        waiting = sorted((row.event for row in self.rows if row.batch is None), key=_id)
        if not waiting or not self.holds(hold):
            return ()
        self.position = number
        return waiting[:LARGEST_BATCH]

    def mark(self, hold: Hold, events: Sequence[OutboxEvent]) -> bool:
        if not self.holds(hold):
            return False
        for row in self.rows:
            if row.event in events:
                row.batch = hold.position
        self.position += 1
        return True

    def rewind(self, hold: Hold, reached: int) -> bool:
        """One page: the first row that is marked too high; a real page may end there, too."""
        if not self.holds(hold):
            return False
        for row in sorted(self.rows, key=lambda row: row.event.id):
            if row.batch is not None and row.batch > reached:
                row.batch = None
                return True
        return True

    def is_ahead_of(self, reached: int) -> bool:
        return any(row.batch is not None and row.batch > reached for row in self.rows)


@dataclass(frozen=True)
class Stream:
    """What Redis holds of the shard, with how far its reader has come."""

    entries: tuple[OutboxEvent, ...] = ()
    reached: int = 0
    read: int = 0

    def published(self, turn: Turn, events: Sequence[OutboxEvent]) -> Stream:
        return replace(self, entries=(*self.entries, *events), reached=turn.number)


class Redis:
    """The stream of now; older ones may come back."""

    def __init__(self) -> None:
        self.stream = Stream()

    def publish(self, turn: Turn, events: Sequence[OutboxEvent]) -> Published | Moved:
        if self.stream.reached == turn.number:
            return Published()
        if self.stream.reached != turn.expected:
            return Moved(self.stream.reached)
        self.stream = self.stream.published(turn, events)
        return Published()


@dataclass(frozen=True)
class Asked:
    """A question on its way: it is answered when the test says so."""

    answer: Callable[[], Any]

    def __await__(self) -> Generator[Asked, Any, Any]:
        return (yield self)


class SlowOutbox:
    """The `Outbox` port, as far as one shard needs it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def begin(
        self, hold: Hold, *, number: int, limit: int, most_bytes: int
    ) -> Sequence[OutboxEvent]:
        del limit, most_bytes
        return await Asked(lambda: self._tables.begin(hold, number))

    async def mark(self, hold: Hold, events: Sequence[OutboxEvent]) -> bool:
        return await Asked(lambda: self._tables.mark(hold, events))

    async def rewind(self, hold: Hold, *, reached: int) -> bool:
        while self._tables.is_ahead_of(reached):
            if not await Asked(lambda: self._tables.rewind(hold, reached)):
                return False
        return self._tables.holds(hold)

    async def deployment(self) -> str:
        raise NotImplementedError

    async def keep(self, process: ProcessId) -> Sequence[Hold]:
        raise NotImplementedError

    async def release(self, process: ProcessId) -> None:
        raise NotImplementedError

    async def waiting(self, shards: Sequence[int]) -> Sequence[int]:
        raise NotImplementedError


class SlowSpine:
    """The `Spine` port."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def reached(self, shard: int, *, deployment: str) -> int | Foreign:
        return await Asked(lambda: self._redis.stream.reached)

    async def publish(
        self, turn: Turn, events: Sequence[OutboxEvent]
    ) -> Published | Moved | Foreign:
        return await Asked(lambda: self._redis.publish(turn, events))


class Hand:
    """One relay, which does one call's worth at a time."""

    def __init__(self, number: int, tables: Tables, redis: Redis) -> None:
        self._process = ProcessId(number)
        self._tables = tables
        self._ports = SlowOutbox(tables), SlowSpine(redis)
        self._shard: ShardRelay | None = None
        self._turn: Coroutine[Asked, Any, Any] | None = None
        self._asked: Asked | None = None

    def take(self) -> None:
        """Get the lease. One that is in the middle of a turn goes on as if it never lost it."""
        self._tables.holder = self._process
        hold = Hold(process=self._process, shard=0, position=self._tables.position)
        if self._turn is None and (self._shard is None or self._shard.hold != hold):
            self._shard = ShardRelay(hold, *self._ports, deployment=DEPLOYMENT)

    def step(self) -> None:
        """Have the question under way answered, and go on to the next one."""
        if self._shard is None:
            return
        if self._turn is None or self._asked is None:
            self._turn = self._shard.turn()
            self._send(None)
        else:
            self._send(self._asked.answer())

    def look(self) -> None:
        """Compare with the stream, as relays do now and then."""
        if self._shard is not None and self._turn is None:
            self._turn = self._shard.align()
            self._send(None)

    def die(self) -> Asked | None:
        """End here; what was asked may still be on its way."""
        asked, self._asked = self._asked, None
        if self._turn is not None:
            self._turn.close()
        self._turn = self._shard = None
        return asked

    def _send(self, answer: Any) -> None:
        assert self._turn is not None
        try:
            self._asked = self._turn.send(answer)
        except StopIteration:
            self._turn = self._asked = None
        except HoldLost:
            self._turn = self._asked = self._shard = None


def _id(told: OutboxEvent) -> int:
    return told.id
