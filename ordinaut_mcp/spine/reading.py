"""Reading by consumer group: deliveries, acks, and what a consumer that died left behind."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from redis.exceptions import ResponseError

from ordinaut_mcp.domain.outbox import OutboxEvent
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.spine.entry import from_fields, stream_key
from ordinaut_mcp.spine.wire import ANSWER_WITHIN, Argument, Wire

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = timedelta(seconds=ANSWER_WITHIN / 2)
REMEMBERED: Final = 100_000

Entries = Sequence[tuple[bytes, Mapping[bytes, bytes] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One entry of a stream, given to one consumer until it acks it."""

    shard: int
    entry: str
    event: OutboxEvent


class Repeats:
    """Remembers the last events by their ids, so that what comes again is known again.

    It is the memory of one process. What must happen once over restarts, too, is made unique by
    the event's id where it happens.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._seen: OrderedDict[int, None] = OrderedDict()

    def is_repeat(self, event: OutboxEvent) -> bool:
        """Whether the event was noted before."""
        return event.id in self._seen

    def note(self, event: OutboxEvent) -> None:
        """Know this event again from now on."""
        self._seen[event.id] = None
        self._seen.move_to_end(event.id)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)


class Reader:
    """One consumer of one group. The events of a run come in order while one consumer reads the
    shard; after an accident of Redis some come again."""

    def __init__(
        self, wire: Wire, *, group: str, consumer: str, repeats: Repeats | None = None
    ) -> None:
        self._wire = wire
        self._group = group
        self._consumer = consumer
        self._repeats = repeats or Repeats()
        self._under_way: dict[int, str] = {}
        """Events that were given out and not acked, with their entries. Another entry of such an
        event stays pending: should this process die, it is as good as the first one."""

    async def read(
        self, shards: Sequence[int], *, count: int, wait: timedelta = timedelta(0)
    ) -> Sequence[Delivery]:
        """Up to `count` new deliveries of each shard; waits for the first at most 5 s.

        Events that this reader acked before are acked again and left out. A group that does not
        exist, or was lost with Redis, begins at the oldest entry.

        Raises:
            Unavailable: Redis did not answer.
        """
        block = int(min(wait, LONGEST_WAIT).total_seconds() * 1000)
        keys = [stream_key(shard) for shard in shards]
        command: list[Argument] = ["XREADGROUP", "GROUP", self._group, self._consumer]
        command += ["COUNT", count, *(("BLOCK", block) if block else ()), "STREAMS"]
        command += [*keys, *(">" for _ in keys)]
        found = await self._grouped(shards, command)
        by_key = dict(zip(keys, shards, strict=True))
        told: list[Delivery] = []
        for key, entries in found or ():
            told += await self._new(by_key[key.decode()], entries)
        return told

    async def reclaim(self, shard: int, *, idle: timedelta, count: int) -> Sequence[Delivery]:
        """Up to `count` deliveries that another consumer has had for so long without an ack.

        Raises:
            Unavailable: Redis did not answer.
        """
        milliseconds = int(idle.total_seconds() * 1000)
        command: list[Argument] = ["XAUTOCLAIM", stream_key(shard), self._group, self._consumer]
        command += [milliseconds, "0", "COUNT", count]
        found = await self._grouped([shard], command)
        return await self._new(shard, found[1])

    async def ack(self, deliveries: Iterable[Delivery]) -> None:
        """Say that these were dealt with; they never come again, except after an accident.

        Raises:
            Unavailable: Redis did not answer; they may come again.
        """
        by_shard: dict[int, list[Delivery]] = {}
        for delivery in deliveries:
            self._repeats.note(delivery.event)
            self._under_way.pop(delivery.event.id, None)
            by_shard.setdefault(delivery.shard, []).append(delivery)
        for shard, dealt_with in by_shard.items():
            await self._ack(shard, [delivery.entry for delivery in dealt_with])

    async def _ack(self, shard: int, entries: Sequence[str]) -> None:
        await self._wire.call("XACK", stream_key(shard), self._group, *entries)

    async def _new(self, shard: int, entries: Entries) -> list[Delivery]:
        """Entries that were trimmed while they waited come without fields, and are left out."""
        told: list[Delivery] = []
        done: list[str] = []
        for name, fields in entries:
            entry = name.decode()
            event = _event(entry, fields) if fields else None
            if event is None or self._repeats.is_repeat(event):
                done.append(entry)
            elif self._under_way.setdefault(event.id, entry) == entry:
                told.append(Delivery(shard=shard, entry=entry, event=event))
        if done:
            await self._ack(shard, done)
        return told

    async def _grouped(self, shards: Sequence[int], command: Sequence[Argument]) -> Any:
        try:
            return await self._wire.call(*command)
        except Unavailable as error:
            if not _says(error, "NOGROUP"):
                raise
        for shard in shards:
            await self._make_group(shard)
        return await self._wire.call(*command)

    async def _make_group(self, shard: int) -> None:
        command = ("XGROUP", "CREATE", stream_key(shard), self._group, "0", "MKSTREAM")
        try:
            await self._wire.call(*command)
        except Unavailable as error:
            if not _says(error, "BUSYGROUP"):
                raise


def _event(entry: str, fields: Mapping[bytes, bytes]) -> OutboxEvent | None:
    try:
        return from_fields(fields)
    except (KeyError, ValueError) as error:
        log.warning("entry %s of a stream is none of ours and is left out: %r", entry, error)
        return None


def _says(error: Unavailable, word: str) -> bool:
    return isinstance(error.__cause__, ResponseError) and str(error.__cause__).startswith(word)
