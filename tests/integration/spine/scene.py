"""What the tests of the spine tell into the outbox, and what they find in the streams."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, LiteralString, TypeVar

import anyio

from ordinaut_mcp.domain.outbox import Hold, OutboxEvent
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.pids import send, wait_gone
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.relay import Relay
from ordinaut_mcp.runtime.relay_shard import Progress, ShardRelay
from ordinaut_mcp.spine.entry import from_fields, position_key, stream_key
from ordinaut_mcp.spine.publishing import RedisSpine
from ordinaut_mcp.spine.wire import Wire
from ordinaut_mcp.store.outbox import PostgresOutbox
from ordinaut_mcp.store.pool import Connection, Pool

T = TypeVar("T")
ONE, TWO = ProcessId(1), ProcessId(2)
SHARDS = range(8)

TELL: Final[LiteralString] = """
    INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
    SELECT %(run)s %% 8, 'ann', 'run.started', 7, %(run)s, s, jsonb_build_object('n', s)
    FROM generate_series(%(first)s::int, %(last)s::int) AS s ORDER BY s
"""
TELL_MANY: Final[LiteralString] = """
    INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
    SELECT r %% 8, 'ann', 'run.started', 7, r, s, '{"attempt": 1}'
    FROM generate_series(1, %(each)s::int) AS s, generate_series(1, %(runs)s::int) AS r
    ORDER BY s, r
"""
TELL_LARGE: Final[LiteralString] = """
    INSERT INTO ordinaut.outbox (shard, owner, topic, data)
    SELECT 0, 'ann', 'thing.seen', jsonb_build_object('n', n, 'text', repeat('a', %(size)s::int))
    FROM generate_series(1, %(count)s::int) AS n
"""
UNPUBLISHED: Final[LiteralString] = "SELECT count(*) AS n FROM ordinaut.outbox WHERE batch IS NULL"
LAPSE: Final[LiteralString] = (
    "UPDATE ordinaut.relay_shard SET lease_until = ordinaut.now() - interval '1 s'"
)


async def until(look: Callable[[], Awaitable[T | None]], *, seconds: float = 30) -> T:
    """What `look` finds, as soon as it finds something."""
    with anyio.fail_after(seconds):
        while (found := await look()) is None:  # noqa: ASYNC110 — Redis sends no events
            await anyio.sleep(0.01)
    return found


class Scene:
    """One outbox and one Redis."""

    def __init__(self, pool: Pool, wire: Wire) -> None:
        self.pool, self.wire = pool, wire

    async def tell(self, run: int, first: int, last: int | None = None) -> None:
        """Events of one run, in a transaction of their own."""
        async with self.pool.connection() as connection:
            await tell(connection, run, first, last)

    async def tell_many(self, *, runs: int, each: int) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(TELL_MANY, {"runs": runs, "each": each})

    async def tell_large(self, count: int, size: int) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(TELL_LARGE, {"count": count, "size": size})

    async def unpublished(self) -> int:
        async with self.pool.connection() as connection:
            found = await (await connection.execute(UNPUBLISHED)).fetchone()
        return found["n"] if found else 0

    async def lapse(self) -> None:
        """Have every lease ended, as when its holder had been stopped for long."""
        async with self.pool.connection() as connection:
            await connection.execute(LAPSE)

    async def stream(self, shard: int) -> list[OutboxEvent]:
        found: Any = await self.wire.call("XRANGE", stream_key(shard), "-", "+")
        return [from_fields(fields) for _, fields in found]

    async def streams(self) -> list[OutboxEvent]:
        return [event for shard in SHARDS for event in await self.stream(shard)]

    async def all_published(self, count: int) -> list[OutboxEvent]:
        """The streams, once so many different events are in them and none waits."""

        async def look() -> list[OutboxEvent] | None:
            if await self.unpublished():
                return None
            found = await self.streams()
            return found if len({event.id for event in found}) == count else None

        return await until(look)

    async def dump(self, shard: int) -> tuple[Any, Any]:
        """A copy of what Redis holds of the shard."""
        return (
            await self.wire.call("DUMP", stream_key(shard)),
            await self.wire.call("DUMP", position_key(shard)),
        )

    async def restore(self, shard: int, copy: tuple[Any, Any]) -> None:
        """Have that copy again."""
        for key, dumped in zip((stream_key(shard), position_key(shard)), copy, strict=True):
            await self.wire.call("RESTORE", key, 0, dumped, "REPLACE")

    def relay(self, process: ProcessId, clockwork: Clockwork, *, seconds: float = 30) -> Relay:
        lease = timedelta(seconds=seconds)
        outbox = PostgresOutbox(self.pool, lease_for=lease)
        return Relay(process, outbox, RedisSpine(self.wire), clockwork, lease_for=lease)

    @asynccontextmanager
    async def relaying(
        self, process: ProcessId = ONE, *, seconds: float = 30
    ) -> AsyncGenerator[Relay, None]:
        """A relay that runs inside this block."""
        clockwork = Clockwork()
        relay = self.relay(process, clockwork, seconds=seconds)
        with clockwork.running():
            async with anyio.create_task_group() as tasks:
                await tasks.start(relay.run)
                yield relay
                tasks.cancel_scope.cancel()


class Mortal:
    """A Valkey that may die."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._valkey = EmbeddedValkey(home)

    def start(self) -> str:
        url = self._valkey.start()
        assert url is not None
        return url

    def kill(self) -> None:
        """As `kill -9` does."""
        entry = json.loads((self._home.run / "valkey.json").read_text(encoding="utf-8"))
        assert send(entry["pid"], entry["mark"], signal.SIGKILL)
        wait_gone(entry["pid"], entry["mark"], seconds=10)

    def empty(self) -> None:
        """Take away all that it kept."""
        for kept in self._home.path.rglob("appendonlydir"):
            shutil.rmtree(kept)


async def tell(connection: Connection, run: int, first: int, last: int | None = None) -> None:
    await connection.execute(TELL, {"run": run, "first": first, "last": last or first})


async def held(outbox: PostgresOutbox, process: ProcessId, shard: int) -> Hold:
    """The process' hold of that shard."""
    return next(hold for hold in await outbox.keep(process) if hold.shard == shard)


async def drained(relay: ShardRelay) -> None:
    """Have it publish all that waits."""
    with anyio.fail_after(10):
        while await relay.turn() is not Progress.NOTHING:
            pass


def in_order(events: Sequence[OutboxEvent]) -> dict[int | None, list[int | None]]:
    """The sequences of each run as the streams have them, without repeats."""
    told: dict[int | None, list[int | None]] = {}
    for event in dict.fromkeys(events):
        told.setdefault(event.run_id, []).append(event.sequence)
    return told
