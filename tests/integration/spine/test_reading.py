"""Reading by consumer group: each delivery until it is acked, and no event twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from ordinaut_mcp.domain.outbox import OutboxEvent, Turn
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.spine.publishing import RedisSpine
from ordinaut_mcp.spine.reading import Delivery, Reader, Repeats
from ordinaut_mcp.spine.wire import Wire, opened

pytestmark = pytest.mark.anyio

NOW = timedelta(0)
SEEN = OutboxEvent(
    id=1,
    topic="thing.seen",
    owner="ann",
    task_id=None,
    run_id=None,
    sequence=None,
    at=datetime(2026, 11, 22, tzinfo=UTC),
    data="{}",
)


async def published(wire: Wire, *ids: int, shard: int = 0) -> None:
    spine = RedisSpine(wire)
    reached = await spine.reached(shard, deployment="here")
    assert isinstance(reached, int)
    turn = Turn(deployment="here", shard=shard, expected=reached, number=reached + 2)
    await spine.publish(turn, [replace(SEEN, id=number) for number in ids])


def reader(wire: Wire, consumer: str = "one") -> Reader:
    return Reader(wire, group="g", consumer=consumer)


def ids(deliveries: Sequence[Delivery]) -> list[int]:
    return [delivery.event.id for delivery in deliveries]


async def test_a_new_group_begins_at_the_oldest_entry(wire: Wire) -> None:
    await published(wire, 1, 2, 3)
    found = await reader(wire).read([0, 1], count=10)

    assert ids(found) == [1, 2, 3]
    assert found[0] == Delivery(shard=0, entry=found[0].entry, event=SEEN)


async def test_a_read_takes_as_many_as_asked_from_each_shard(wire: Wire) -> None:
    await published(wire, 1, 2, 3)
    await published(wire, 4, 5, 6, shard=1)
    one = reader(wire)

    first = await one.read([0, 1], count=2)
    assert sorted((found.shard, found.event.id) for found in first) == [
        (0, 1),
        (0, 2),
        (1, 4),
        (1, 5),
    ]
    assert sorted(ids(await one.read([0, 1], count=2))) == [3, 6]
    assert await one.read([0, 1], count=2) == []


async def test_a_read_waits_for_the_first_event(wire: Wire, valkey: str) -> None:
    found: list[Delivery] = []

    async def read() -> None:
        async with opened(valkey) as another:
            while not found:
                found.extend(await reader(another).read([0], count=10, wait=timedelta(seconds=5)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await published(wire, 1)

    assert ids(found) == [1]


async def test_what_was_acked_is_not_delivered_to_another_consumer(wire: Wire) -> None:
    await published(wire, 1, 2)
    one, two = reader(wire), reader(wire, "two")
    await one.ack((await one.read([0], count=10))[:1])

    assert ids(await two.reclaim(0, idle=NOW, count=10)) == [2]
    assert await two.read([0], count=10) == []


async def test_what_is_not_idle_for_so_long_stays_where_it_is(wire: Wire) -> None:
    await published(wire, 1)
    await reader(wire).read([0], count=10)

    assert await reader(wire, "two").reclaim(0, idle=timedelta(hours=1), count=10) == []


async def test_an_own_delivery_that_was_not_acked_comes_again(wire: Wire) -> None:
    await published(wire, 1)
    one = reader(wire)
    first = await one.read([0], count=10)

    assert await one.reclaim(0, idle=NOW, count=10) == first


async def test_an_event_that_was_acked_is_left_out_when_it_comes_again(wire: Wire) -> None:
    await published(wire, 1)
    one = reader(wire)
    await one.ack(await one.read([0], count=10))
    await published(wire, 1, 2)

    found = await one.read([0], count=10)
    assert ids(found) == [2]
    await one.ack(found)
    assert await reader(wire, "two").reclaim(0, idle=NOW, count=10) == []


async def test_a_repeat_of_what_is_under_way_waits_for_its_end(wire: Wire) -> None:
    await published(wire, 1)
    await published(wire, 1)
    one = reader(wire)

    found = await one.read([0], count=10)
    assert ids(found) == [1]
    assert await one.reclaim(0, idle=NOW, count=10) == found
    await one.ack(found)
    assert await one.reclaim(0, idle=NOW, count=10) == []
    assert await reader(wire, "two").reclaim(0, idle=NOW, count=10) == []


async def test_a_repeat_of_what_died_with_its_consumer_is_delivered(wire: Wire) -> None:
    await published(wire, 1)
    await published(wire, 1)
    await reader(wire).read([0], count=10)

    assert ids(await reader(wire, "two").reclaim(0, idle=NOW, count=10)) == [1]


async def test_a_group_that_redis_lost_is_made_again(wire: Wire) -> None:
    await published(wire, 1)
    one = reader(wire)
    await one.ack(await one.read([0, 1], count=10))
    await wire.call("FLUSHALL")
    await published(wire, 1, 2)

    assert ids(await one.read([0, 1], count=10)) == [2]


async def test_reclaiming_before_anything_was_read_makes_the_group(wire: Wire) -> None:
    assert await reader(wire).reclaim(0, idle=NOW, count=10) == []
    await published(wire, 1)

    assert ids(await reader(wire).read([0], count=10)) == [1]


async def test_entries_that_are_none_of_ours_are_left_out(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.call("XADD", "ordinaut:events:{0}", "*", "id", "x")
    await published(wire, 1)

    assert ids(await reader(wire).read([0], count=10)) == [1]
    assert "none of ours" in caplog.text


async def test_entries_that_were_trimmed_while_they_waited_are_left_out(wire: Wire) -> None:
    await published(wire, 1, 2)
    await reader(wire).read([0], count=10)
    await wire.call("XTRIM", "ordinaut:events:{0}", "MAXLEN", 1)

    assert ids(await reader(wire, "two").reclaim(0, idle=NOW, count=10)) == [2]


async def test_what_redis_refuses_is_unavailable(wire: Wire) -> None:
    await wire.call("SET", "ordinaut:events:{0}", "no stream")

    with pytest.raises(Unavailable, match="WRONGTYPE"):
        await reader(wire).read([0], count=10)


async def test_a_group_that_cannot_be_made_is_unavailable(wire: Wire) -> None:
    await published(wire, 1)
    await wire.call("SET", "ordinaut:events:{1}", "no stream")

    with pytest.raises(Unavailable, match="WRONGTYPE"):
        await reader(wire).read([0, 1], count=10)


def test_only_the_last_events_are_remembered() -> None:
    repeats = Repeats(remembered=2)
    for number in (1, 2, 1, 3):
        repeats.note(replace(SEEN, id=number))

    known = [number for number in (1, 2, 3) if repeats.is_repeat(replace(SEEN, id=number))]
    assert known == [1, 3]
