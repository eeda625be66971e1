"""The relay's loop where its database or the spine is away, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.outbox import (
    Foreign,
    Hold,
    Moved,
    OutboxEvent,
    Published,
    Turn,
    marked_up_to,
    next_number,
)
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.relay import Relay
from tests.unit.runtime.relaying import event

pytestmark = pytest.mark.anyio

ME = ProcessId(1)
TOLD = event(1, run=8, sequence=1)


class OneShard:
    """An outbox with one event, whose methods fail as often as the test says."""

    def __init__(self) -> None:
        self.waits = [TOLD]
        self.position = 0
        self.failing: dict[str, int] = {}
        self.refusing: dict[str, int] = {}
        self.released = 0
        self.marked = anyio.Event()

    async def _asked(self, name: str) -> bool:
        """Whether it may be done."""
        await anyio.lowlevel.checkpoint()
        if self.failing.get(name, 0):
            self.failing[name] -= 1
            raise Unavailable("The database is not reachable; nothing was stored.")
        if self.refusing.get(name, 0):
            self.refusing[name] -= 1
            return False
        return True

    async def deployment(self) -> str:
        await self._asked("deployment")
        return "here"

    async def keep(self, process: ProcessId) -> Sequence[Hold]:
        held = await self._asked("keep")
        return [Hold(process=process, shard=0, position=self.position)] if held else ()

    async def release(self, process: ProcessId) -> None:
        del process
        await self._asked("release")
        self.released += 1

    async def waiting(self, shards: Sequence[int]) -> Sequence[int]:
        await self._asked("waiting")
        return list(shards) if self.waits else ()

    async def begin(
        self, hold: Hold, *, number: int, limit: int, most_bytes: int
    ) -> Sequence[OutboxEvent]:
        del limit, most_bytes
        if not await self._asked("begin") or hold.position != self.position:
            return ()
        self.position = number
        return list(self.waits)

    async def mark(self, hold: Hold, events: Sequence[OutboxEvent]) -> bool:
        del hold, events
        if not await self._asked("mark"):
            return False
        self.waits.clear()
        self.position += 1
        self.marked.set()
        return True

    async def rewind(self, hold: Hold, *, reached: int) -> bool:
        raise NotImplementedError


class Stream:
    """A spine that is away as often as the test says, or belongs to somebody else."""

    def __init__(self) -> None:
        self.away = 0
        self.foreign = 0
        self.published: list[int] = []
        self._reached = 0

    async def reached(self, shard: int, *, deployment: str) -> int | Foreign:
        del shard, deployment
        await anyio.lowlevel.checkpoint()
        if self.foreign:
            self.foreign -= 1
            return Foreign("another")
        if self.away:
            self.away -= 1
            raise Unavailable("Redis does not answer: no such file")
        return self._reached

    async def publish(
        self, turn: Turn, events: Sequence[OutboxEvent]
    ) -> Published | Moved | Foreign:
        await anyio.lowlevel.checkpoint()
        self._reached = turn.number
        self.published += [found.id for found in events]
        return Published()


@asynccontextmanager
async def relaying(outbox: OneShard, stream: Stream) -> AsyncGenerator[Relay, None]:
    clockwork = Clockwork()
    relay = Relay(ME, outbox, stream, clockwork, lease_for=timedelta(seconds=0))
    with clockwork.running(), anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            await tasks.start(relay.run)
            yield relay
            tasks.cancel_scope.cancel()


async def test_what_waits_is_published_marked_and_let_go_at_the_end() -> None:
    outbox, stream = OneShard(), Stream()
    async with relaying(outbox, stream):
        await outbox.marked.wait()

    assert (stream.published, outbox.position, outbox.released) == ([1], 2, 1)


@pytest.mark.parametrize("method", ["deployment", "keep", "waiting", "begin", "release"])
async def test_a_database_that_is_away_is_waited_for(method: str) -> None:
    outbox, stream = OneShard(), Stream()
    outbox.failing[method] = 1
    async with relaying(outbox, stream):
        await outbox.marked.wait()

    assert stream.published == [1]


async def test_a_mark_that_nobody_answered_is_published_again() -> None:
    outbox, stream = OneShard(), Stream()
    outbox.failing["mark"] = 1
    async with relaying(outbox, stream):
        await outbox.marked.wait()

    assert stream.published == [1, 1]


@pytest.mark.parametrize("method", ["keep", "begin", "mark"])
async def test_a_shard_that_was_lost_is_published_once_it_is_held_again(method: str) -> None:
    outbox, stream = OneShard(), Stream()
    outbox.refusing[method] = 1
    async with relaying(outbox, stream):
        await outbox.marked.wait()

    assert set(stream.published) == {1}


async def test_a_spine_that_is_away_is_told_of_once_and_others_may_publish(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox, stream = OneShard(), Stream()
    stream.away = 2
    with caplog.at_level("INFO"):
        async with relaying(outbox, stream):
            await outbox.marked.wait()

    told = [record.getMessage() for record in caplog.records if "published" in record.getMessage()]
    assert told[0] == (
        "no events are published, and they wait in the outbox: Redis does not answer: no such file"
    )
    assert len(told) <= 2
    assert outbox.released == 3


async def test_a_redis_of_another_ordinaut_is_told_of_in_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox, stream = OneShard(), Stream()
    stream.foreign = 1
    async with relaying(outbox, stream):
        await outbox.marked.wait()

    assert "another Ordinaut (another)" in caplog.text
    assert "ORDINAUT_REDIS_URL" in caplog.text


@pytest.mark.parametrize(
    ("position", "reached", "number"),
    [(0, 0, 1), (1, 0, 3), (2, 1, 3), (2, 0, 3), (7, 40, 41), (7, 41, 43), (8, 7, 9)],
)
def test_a_number_is_odd_and_beyond_everything(position: int, reached: int, number: int) -> None:
    assert next_number(position, reached) == number


@pytest.mark.parametrize(("position", "highest"), [(0, -1), (1, -1), (2, 1), (3, 1), (8, 7)])
def test_nothing_is_marked_above_the_last_marked_batch(position: int, highest: int) -> None:
    assert marked_up_to(position) == highest
