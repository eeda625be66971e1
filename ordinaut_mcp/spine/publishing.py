"""Publishing: a batch of events appended to a shard's stream in one step, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ordinaut_mcp.domain.outbox import (
    NOTHING_REACHED,
    Foreign,
    Moved,
    OutboxEvent,
    Published,
    Turn,
)
from ordinaut_mcp.spine.entry import FIELDS, position_key, stream_key, to_values
from ordinaut_mcp.spine.wire import Argument, Script, Wire

LONGEST = 250_000
"""Entries that a stream keeps, about; two million events in all shards."""

_NAMES_AND_VALUES = ", ".join(f"'{name}', ARGV[i + {at}]" for at, name in enumerate(FIELDS))
# The number that the stream has reached and the entries change together, or not at all.
PUBLISH: Final = Script(f"""
local deployment, expected, number, longest = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local whose, reached = deployment, '{NOTHING_REACHED}'
local noted = redis.call('GET', KEYS[2])
if noted then whose, reached = string.match(noted, '^(%S+) (%d+)$') end
if whose ~= deployment then return {{'foreign', whose or noted}} end
if reached == number then return {{'published', reached}} end
if reached ~= expected then return {{'moved', reached}} end
for i = 5, #ARGV, {len(FIELDS)} do
    redis.call('XADD', KEYS[1], '*', {_NAMES_AND_VALUES})
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', longest)
redis.call('SET', KEYS[2], deployment .. ' ' .. number)
return {{'published', number}}
""")


class RedisSpine:
    """The `Spine` port over Redis Streams."""

    def __init__(self, wire: Wire, *, longest: int = LONGEST) -> None:
        self._wire = wire
        self._longest = longest

    async def reached(self, shard: int, *, deployment: str) -> int | Foreign:
        """The number of the last batch in the stream; 0: nothing of ours."""
        noted: bytes | None = await self._wire.call("GET", position_key(shard))
        if noted is None:
            return NOTHING_REACHED
        whose, _, number = noted.decode(errors="replace").partition(" ")
        if whose != deployment or not number.isdecimal():
            return Foreign(whose)
        return int(number)

    async def publish(
        self, turn: Turn, events: Sequence[OutboxEvent]
    ) -> Published | Moved | Foreign:
        """Append the whole batch where the stream has reached the expected number, else nothing."""
        arguments: list[Argument] = [turn.deployment, turn.expected, turn.number, self._longest]
        for event in events:
            arguments.extend(to_values(event))
        keys = [stream_key(turn.shard), position_key(turn.shard)]
        return _outcome(await self._wire.run(PUBLISH, keys, *arguments))


def _outcome(answer: Any) -> Published | Moved | Foreign:
    state, value = answer
    match state:
        case b"published":
            return Published()
        case b"moved":
            return Moved(int(value))
        case _:
            return Foreign(value.decode(errors="replace"))
