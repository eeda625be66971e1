"""One batch, one step: what a stream takes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ordinaut_mcp.domain.outbox import Foreign, Moved, OutboxEvent, Published, Turn
from ordinaut_mcp.domain.run import RunId, TaskId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.spine.entry import from_fields
from ordinaut_mcp.spine.publishing import RedisSpine
from ordinaut_mcp.spine.wire import Wire, opened

pytestmark = pytest.mark.anyio

STARTED = OutboxEvent(
    id=41,
    topic="run.started",
    owner="ann",
    task_id=TaskId(12),
    run_id=RunId(345),
    sequence=2,
    at=datetime(2026, 11, 22, 8, 0, 0, 250_000, tzinfo=UTC),
    data='{"attempt": 1, "name": "ünï ☂"}',
)
SEEN = OutboxEvent(
    id=42,
    topic="email.received",
    owner="bob",
    task_id=None,
    run_id=None,
    sequence=None,
    at=datetime(2026, 11, 22, 8, tzinfo=UTC),
    data="{}",
)
FIRST = Turn(deployment="here", shard=3, expected=0, number=1)
STREAM, POSITION = "ordinaut:events:{3}", "ordinaut:position:{3}"


async def entries(wire: Wire) -> list[dict[bytes, bytes]]:
    found: Any = await wire.call("XRANGE", STREAM, "-", "+")
    return [fields for _, fields in found]


async def test_an_entry_tells_all_of_its_event(wire: Wire) -> None:
    assert await RedisSpine(wire).publish(FIRST, [STARTED, SEEN]) == Published()

    first, second = await entries(wire)
    assert {name.decode(): value.decode() for name, value in first.items()} == {
        "id": "41",
        "topic": "run.started",
        "owner": "ann",
        "task": "task_12",
        "run": "run_345",
        "sequence": "2",
        "at": "2026-11-22T08:00:00.250000Z",
        "data": '{"attempt": 1, "name": "ünï ☂"}',
    }
    assert (second[b"task"], second[b"run"], second[b"sequence"]) == (b"", b"", b"")
    assert [from_fields(first), from_fields(second)] == [STARTED, SEEN]


async def test_the_stream_has_reached_the_number_of_its_last_batch(wire: Wire) -> None:
    spine = RedisSpine(wire)
    assert await spine.reached(3, deployment="here") == 0
    await spine.publish(FIRST, [STARTED])

    assert await spine.reached(3, deployment="here") == 1
    assert await spine.reached(4, deployment="here") == 0
    assert await wire.call("GET", POSITION) == b"here 1"


async def test_the_same_turn_again_appends_nothing(wire: Wire) -> None:
    spine = RedisSpine(wire)
    await spine.publish(FIRST, [STARTED])

    assert await spine.publish(FIRST, [STARTED]) == Published()
    assert len(await entries(wire)) == 1


async def test_a_turn_that_expected_something_else_appends_nothing(wire: Wire) -> None:
    spine = RedisSpine(wire)
    await spine.publish(FIRST, [STARTED])

    for expected in (0, 5):
        late = replace(FIRST, expected=expected, number=7)
        assert await spine.publish(late, [SEEN]) == Moved(1)
    assert len(await entries(wire)) == 1


async def test_a_stream_of_another_deployment_is_refused(wire: Wire) -> None:
    spine = RedisSpine(wire)
    await spine.publish(FIRST, [STARTED])
    there = replace(FIRST, deployment="there", expected=1, number=3)

    assert await spine.publish(there, [SEEN]) == Foreign("here")
    assert await spine.reached(3, deployment="there") == Foreign("here")
    assert len(await entries(wire)) == 1


@pytest.mark.parametrize("junk", ["junk", "here", "here x", "", "here 1 2"])
async def test_a_position_that_is_none_of_ours_is_refused(wire: Wire, junk: str) -> None:
    await wire.call("SET", POSITION, junk)
    spine = RedisSpine(wire)

    assert isinstance(await spine.publish(FIRST, [STARTED]), Foreign)
    assert isinstance(await spine.reached(3, deployment="here"), Foreign)


async def test_a_stream_keeps_about_as_many_entries_as_it_may(wire: Wire) -> None:
    events = [replace(SEEN, id=number) for number in range(1, 1001)]
    await RedisSpine(wire, longest=100).publish(FIRST, events)

    ids = [int(entry[b"id"]) for entry in await entries(wire)]
    assert 100 <= len(ids) <= 300
    assert ids == list(range(1001 - len(ids), 1001))


async def test_a_server_that_forgot_the_script_is_told_it_again(wire: Wire) -> None:
    spine = RedisSpine(wire)
    await spine.publish(FIRST, [STARTED])
    await wire.call("SCRIPT", "FLUSH")

    following = replace(FIRST, expected=1, number=3)
    assert await spine.publish(following, [SEEN]) == Published()


async def test_what_redis_refuses_is_unavailable(wire: Wire) -> None:
    await wire.call("LPUSH", STREAM, "no stream")

    with pytest.raises(Unavailable, match="WRONGTYPE"):
        await RedisSpine(wire).publish(FIRST, [STARTED])


async def test_a_redis_that_is_not_there_is_unavailable() -> None:
    async with opened("unix:///tmp/ord-there-is-none.sock") as nowhere:
        with pytest.raises(Unavailable) as caught:
            await RedisSpine(nowhere).reached(0, deployment="here")

    assert caught.value.code == "unavailable"
    assert caught.value.hint == "Runs go on without it, and events wait in the outbox."
