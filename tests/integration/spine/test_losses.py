"""What Redis loses is published again, and nobody who comes late can spoil the order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from ordinaut_mcp.domain.outbox import Foreign, Moved, OutboxEvent, Published, Turn
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.runtime.relay_shard import HoldLost, Progress, ShardRelay, SpineAway
from ordinaut_mcp.spine.publishing import RedisSpine
from ordinaut_mcp.spine.wire import Wire
from ordinaut_mcp.store.outbox import PostgresOutbox
from ordinaut_mcp.store.pool import Pool
from tests.integration.spine.scene import ONE, TWO, Scene, drained, held, in_order, tell

pytestmark = pytest.mark.anyio

Outcome = Published | Moved | Foreign


class Stopped(Exception):
    """The relay was stopped in this very moment."""


class StoppedSpine(RedisSpine):
    """Stops its relay at the call; what was to be sent can be sent later."""

    late: Callable[[], Awaitable[Outcome]]

    async def publish(self, turn: Turn, events: Sequence[OutboxEvent]) -> Outcome:
        before = super()
        self.late = lambda: before.publish(turn, events)
        raise Stopped


class CutSpine(RedisSpine):
    """Publishes, and its relay never hears of it."""

    async def publish(self, turn: Turn, events: Sequence[OutboxEvent]) -> Outcome:
        await super().publish(turn, events)
        raise Stopped


async def relay_of(
    outbox: PostgresOutbox, spine: RedisSpine, process: ProcessId = ONE
) -> ShardRelay:
    hold = await held(outbox, process, 0)
    return ShardRelay(hold, outbox, spine, deployment=await outbox.deployment())


@pytest.fixture
async def relay(outbox: PostgresOutbox, wire: Wire) -> ShardRelay:
    return await relay_of(outbox, RedisSpine(wire))


async def ids(scene: Scene) -> list[int]:
    return [event.id for event in await scene.stream(0)]


async def test_events_are_published_in_order_and_once(scene: Scene, relay: ShardRelay) -> None:
    await scene.tell(8, 1, 120)
    await drained(relay)

    assert await ids(scene) == list(range(1, 121))
    assert await scene.unpublished() == 0


async def test_after_a_flush_everything_is_published_again(
    scene: Scene, wire: Wire, relay: ShardRelay
) -> None:
    await scene.tell(8, 1, 120)
    await drained(relay)
    await wire.call("FLUSHALL")
    await scene.tell(8, 121, 130)
    await drained(relay)

    assert await ids(scene) == list(range(1, 131))


async def test_a_flush_is_noticed_although_nothing_is_to_be_published(
    scene: Scene, wire: Wire, relay: ShardRelay
) -> None:
    await scene.tell(8, 1, 120)
    await drained(relay)
    await wire.call("FLUSHALL")
    await relay.align()
    await drained(relay)

    assert await ids(scene) == list(range(1, 121))


async def test_an_older_copy_gets_exactly_what_it_lacks(scene: Scene, relay: ShardRelay) -> None:
    await scene.tell(8, 1, 60)
    await drained(relay)
    copy = await scene.dump(0)
    await scene.tell(8, 61, 120)
    await drained(relay)
    await scene.restore(0, copy)
    await relay.align()
    await drained(relay)

    assert await ids(scene) == list(range(1, 121))


async def test_a_crash_between_publish_and_mark_repeats_and_does_not_reorder(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    await scene.tell(8, 1, 3)
    cut = await relay_of(outbox, CutSpine(wire))
    await cut.align()
    with pytest.raises(Stopped):
        await cut.turn()
    await scene.tell(8, 4)
    await scene.lapse()
    await drained(await relay_of(outbox, RedisSpine(wire), TWO))

    assert await ids(scene) == [1, 2, 3, 1, 2, 3, 4]
    assert await scene.unpublished() == 0


async def stopped(scene: Scene, wire: Wire, outbox: PostgresOutbox) -> StoppedSpine:
    """A relay that was stopped with its first batch, 1 to 3, in its hand; the lease is over."""
    await scene.tell(8, 1, 3)
    spine = StoppedSpine(wire)
    zombie = await relay_of(outbox, spine)
    await zombie.align()
    with pytest.raises(Stopped):
        await zombie.turn()
    await scene.lapse()
    return spine


async def test_a_zombie_that_goes_on_changes_nothing(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    zombie = await stopped(scene, wire, outbox)
    await scene.tell(8, 4, 5)
    other = await relay_of(outbox, RedisSpine(wire), TWO)
    await drained(other)

    assert await zombie.late() == Moved(3)
    await scene.tell(8, 6)
    await drained(other)
    assert await ids(scene) == [1, 2, 3, 4, 5, 6]


async def test_a_zombie_that_goes_on_in_an_emptied_redis_spoils_nothing(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    zombie = await stopped(scene, wire, outbox)
    await scene.tell(8, 4, 5)
    other = await relay_of(outbox, RedisSpine(wire), TWO)
    await drained(other)
    await wire.call("FLUSHALL")

    assert await zombie.late() == Published()
    await other.align()
    await drained(other)
    assert in_order(await scene.stream(0)) == {8: [1, 2, 3, 4, 5]}
    assert await ids(scene) == [1, 2, 3, 1, 2, 3, 4, 5]


async def test_a_zombie_cannot_use_a_number_that_another_life_of_the_stream_had(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    relay = await relay_of(outbox, RedisSpine(wire))
    await scene.tell(8, 1, 60)
    await drained(relay)
    zombie = StoppedSpine(wire)
    late = await relay_of(outbox, zombie)
    await scene.tell(8, 61)
    await late.align()
    with pytest.raises(Stopped):
        await late.turn()
    await wire.call("FLUSHALL")
    other = await relay_of(outbox, RedisSpine(wire))
    await other.align()
    assert await other.turn() is Progress.MORE

    assert isinstance(await zombie.late(), Moved)
    await drained(other)
    assert await ids(scene) == list(range(1, 62))


async def test_a_relay_that_lost_its_hold_while_it_published_says_so(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    class Robbed(RedisSpine):
        async def publish(self, turn: Turn, events: Sequence[OutboxEvent]) -> Outcome:
            await scene.lapse()
            await outbox.keep(TWO)
            return await super().publish(turn, events)

    await scene.tell(8, 1)
    robbed = await relay_of(outbox, Robbed(wire))
    await robbed.align()
    with pytest.raises(HoldLost):
        await robbed.turn()
    await drained(await relay_of(outbox, RedisSpine(wire), TWO))

    assert await ids(scene) == [1, 1]


async def test_a_relay_that_lost_its_hold_rewinds_nothing(
    scene: Scene, wire: Wire, outbox: PostgresOutbox, relay: ShardRelay
) -> None:
    await scene.tell(8, 1, 3)
    await drained(relay)
    await scene.lapse()
    await outbox.keep(TWO)
    await wire.call("FLUSHALL")

    with pytest.raises(HoldLost):
        await relay.align()
    assert await scene.unpublished() == 0


async def test_an_event_that_commits_late_with_a_lower_id_is_published(
    scene: Scene, pool: Pool, relay: ShardRelay
) -> None:
    async with pool.connection() as slow, slow.transaction():
        await tell(slow, 16, 1)
        await scene.tell(8, 1, 2)
        await drained(relay)
        assert await ids(scene) == [2, 3]
    await scene.tell(8, 3)
    await drained(relay)

    assert await ids(scene) == [2, 3, 1, 4]


async def test_another_deployment_s_redis_is_refused_in_words(
    scene: Scene, wire: Wire, outbox: PostgresOutbox, relay: ShardRelay
) -> None:
    await scene.tell(8, 1)
    await drained(relay)
    await scene.tell(8, 2)
    hold = await held(outbox, ONE, 0)
    other = ShardRelay(hold, outbox, RedisSpine(wire), deployment="another")

    with pytest.raises(SpineAway, match="another Ordinaut"):
        await other.align()
    await wire.call("SET", "ordinaut:position:{0}", "a-third 7")
    with pytest.raises(SpineAway, match=r"another Ordinaut \(a-third\)"):
        await relay.turn()
    assert await ids(scene) == [1]


async def test_a_redis_that_is_ahead_of_a_restored_database_is_gone_on_from(
    scene: Scene, wire: Wire, outbox: PostgresOutbox, relay: ShardRelay
) -> None:
    await scene.tell(8, 1)
    await wire.call("SET", "ordinaut:position:{0}", f"{await outbox.deployment()} 1000")
    await drained(relay)

    assert await ids(scene) == [1]
    assert (await held(outbox, ONE, 0)).position == 1002


async def test_batches_grow_with_load_and_shrink_with_large_events(
    scene: Scene, wire: Wire, outbox: PostgresOutbox
) -> None:
    sizes: list[int] = []

    class Counting(RedisSpine):
        async def publish(self, turn: Turn, events: Sequence[OutboxEvent]) -> Outcome:
            sizes.append(len(events))
            return await super().publish(turn, events)

    await scene.tell(8, 1, 2500)
    await scene.tell_large(10, 1024 * 1024)
    await drained(await relay_of(outbox, Counting(wire)))

    assert sizes == [50, 100, 200, 400, 800, 953, 3, 3, 1]
    assert len(await scene.stream(0)) == 2510
