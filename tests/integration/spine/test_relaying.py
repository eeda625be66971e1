"""The relay at work on real servers: load, company, and every way in which Redis goes away."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest
from anyio import to_thread

from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.spine.reading import Reader
from ordinaut_mcp.spine.wire import Wire, opened
from ordinaut_mcp.store.outbox import PostgresOutbox
from ordinaut_mcp.store.pool import Pool
from tests.integration.spine.scene import ONE, TWO, Mortal, Scene, in_order, until

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def test_twenty_thousand_events_are_in_the_streams_in_order(scene: Scene) -> None:
    await scene.tell_many(runs=200, each=100)
    async with scene.relaying():
        found = await scene.all_published(20_000)

    assert len(found) == 20_000
    assert in_order(found) == {run: list(range(1, 101)) for run in range(1, 201)}


async def test_an_event_is_in_the_stream_soon_after_its_commit_without_any_ring(
    scene: Scene, wire: Wire, valkey: str
) -> None:
    async with scene.relaying(), opened(valkey) as waiting:
        await scene.tell(8, 1)
        await scene.all_published(1)
        reader = Reader(waiting, group="g", consumer="one")
        await reader.ack(await reader.read([0], count=10))

        await scene.tell(8, 2)
        found = await reader.read([0], count=10, wait=timedelta(seconds=5))

    assert [delivery.event.sequence for delivery in found] == [2]


async def test_two_relays_share_the_shards_and_the_order_holds(scene: Scene) -> None:
    await scene.tell_many(runs=40, each=20)
    outbox = PostgresOutbox(scene.pool, lease_for=timedelta(seconds=30))
    async with scene.relaying(ONE, seconds=3), scene.relaying(TWO, seconds=3):

        async def shared() -> bool | None:
            async with scene.pool.connection() as connection:
                cursor = await connection.execute(
                    "SELECT count(*) AS n FROM ordinaut.relay_shard GROUP BY process_id"
                )
                return [row["n"] for row in await cursor.fetchall()] == [4, 4] or None

        await until(shared)
        for sequence in range(21, 31):
            for run in range(1, 41):
                await scene.tell(run, sequence)
        found = await scene.all_published(1200)

    assert in_order(found) == {run: list(range(1, 31)) for run in range(1, 41)}
    # Both have let go.
    assert len(await outbox.keep(ONE)) == 8


async def test_a_redis_that_is_emptied_in_the_middle_is_filled_again(
    scene: Scene, wire: Wire
) -> None:
    await scene.tell_many(runs=40, each=50)
    async with scene.relaying(seconds=0.3):
        await scene.all_published(2000)
        await scene.tell_many(runs=1, each=1)
        await wire.call("FLUSHALL")
        found = await scene.all_published(2001)

    sequences = in_order(found)
    assert sequences.pop(1) == [*range(1, 51), 1]
    assert sequences == {run: list(range(1, 51)) for run in range(2, 41)}


async def test_a_redis_that_is_killed_under_load_loses_nothing(pool: Pool, mortal: Mortal) -> None:
    url = await to_thread.run_sync(mortal.start)
    async with opened(url) as wire:
        scene = Scene(pool, wire)
        await scene.tell_many(runs=100, each=100)
        async with scene.relaying(seconds=1):

            async def some() -> bool | None:
                return await scene.unpublished() < 9000 or None

            await until(some)
            await to_thread.run_sync(mortal.kill)
            await scene.tell(101, 1, 10)
            await to_thread.run_sync(mortal.start)
            found = await scene.all_published(10_010)

    assert in_order(found) == {run: list(range(1, 101)) for run in range(1, 101)} | {
        101: list(range(1, 11))
    }


async def test_a_redis_that_comes_back_empty_is_filled_again(pool: Pool, mortal: Mortal) -> None:
    url = await to_thread.run_sync(mortal.start)
    async with opened(url) as wire:
        scene = Scene(pool, wire)
        await scene.tell_many(runs=10, each=10)
        async with scene.relaying(seconds=1):
            await scene.all_published(100)
            await to_thread.run_sync(mortal.kill)
            mortal.empty()
            await scene.tell(11, 1)
            await to_thread.run_sync(mortal.start)
            found = await scene.all_published(101)

    assert len(found) == 101
    assert in_order(found) == {run: list(range(1, 11)) for run in range(1, 11)} | {11: [1]}


async def test_a_redis_that_is_gone_at_the_start_is_waited_for_and_told_of_once(
    pool: Pool, mortal: Mortal, caplog: pytest.LogCaptureFixture
) -> None:
    url = await to_thread.run_sync(mortal.start)
    await to_thread.run_sync(mortal.kill)
    async with opened(url) as wire:
        scene = Scene(pool, wire)
        await scene.tell(8, 1)
        with caplog.at_level("INFO", "ordinaut_mcp.runtime.relay"):
            async with scene.relaying():

                async def told() -> bool | None:
                    return "no events are published" in caplog.text or None

                await until(told)
                await scene.tell(8, 2)
                await to_thread.run_sync(mortal.start)
                found = await scene.all_published(2)

    assert in_order(found) == {8: [1, 2]}
    assert caplog.text.count("no events are published") == 1
    assert caplog.text.count("events are published again") == 1


async def test_a_relay_takes_what_a_dead_one_held(scene: Scene) -> None:
    outbox = PostgresOutbox(scene.pool, lease_for=timedelta(seconds=30))
    await outbox.keep(TWO)
    await scene.tell(8, 1)
    async with scene.relaying(seconds=0.3):
        await scene.lapse()
        found = await scene.all_published(1)

    assert in_order(found) == {8: [1]}


async def test_events_of_a_mebibyte_get_through(scene: Scene, wire: Wire) -> None:
    await scene.tell_large(20, MIB)
    async with scene.relaying():
        found = await scene.all_published(20)

    assert [event.id for event in found] == list(range(1, 21))
    assert {len(event.data) for event in found} == {MIB + 20, MIB + 21}


async def test_a_ring_has_events_published_at_once(scene: Scene) -> None:
    clockwork = Clockwork()
    relay = scene.relay(ONE, clockwork)
    with clockwork.running(), anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            await tasks.start(relay.run)
            await scene.tell(8, 1)
            relay.doorbell.ring()
            assert in_order(await scene.all_published(1)) == {8: [1]}
            tasks.cancel_scope.cancel()
