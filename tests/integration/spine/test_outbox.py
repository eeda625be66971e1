"""The outbox in PostgreSQL: who publishes a shard, what waits, and the fence of its position."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordinaut_mcp.domain.outbox import Hold
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.store.outbox import PostgresOutbox
from tests.integration.spine.scene import ONE, TWO, Scene, held

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def kept(outbox: PostgresOutbox, process: ProcessId) -> list[int]:
    return [hold.shard for hold in await outbox.keep(process)]


async def begun(outbox: PostgresOutbox, hold: Hold, number: int, limit: int = 10) -> list[int]:
    found = await outbox.begin(hold, number=number, limit=limit, most_bytes=4 * MIB)
    return [event.id for event in found]


async def test_the_deployment_keeps_its_id(outbox: PostgresOutbox) -> None:
    first = await outbox.deployment()

    assert len(first) == 36
    assert await outbox.deployment() == first


async def test_a_relay_alone_holds_every_shard(outbox: PostgresOutbox) -> None:
    assert await kept(outbox, ONE) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert await kept(outbox, ONE) == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_relays_come_to_share_evenly(outbox: PostgresOutbox) -> None:
    three = ProcessId(3)
    for _ in range(8):
        for process in (ONE, TWO, three):
            await outbox.keep(process)

    shares = [await kept(outbox, process) for process in (ONE, TWO, three)]
    assert sorted(len(share) for share in shares) == [2, 3, 3]
    assert sorted(shard for share in shares for shard in share) == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_what_a_relay_lets_go_or_leaves_is_taken(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await outbox.keep(ONE)
    await outbox.release(ONE)
    assert await kept(outbox, TWO) == [0, 1, 2, 3, 4, 5, 6, 7]

    await scene.lapse()
    assert await kept(outbox, ONE) == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_shards_with_something_to_publish_are_told(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await scene.tell(11, 1)
    await scene.tell(14, 1)

    assert await outbox.waiting(range(8)) == [3, 6]
    assert await outbox.waiting([0, 6, 7]) == [6]


async def test_a_batch_is_the_lowest_ids_that_are_not_marked(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await scene.tell(8, 1, 4)
    hold = await held(outbox, ONE, 0)

    assert await begun(outbox, hold, 1, limit=3) == [1, 2, 3]
    events = await outbox.begin(replace(hold, position=1), number=3, limit=2, most_bytes=MIB)
    assert await outbox.mark(replace(hold, position=3), events)
    assert await begun(outbox, replace(hold, position=4), 5) == [3, 4]


async def test_nothing_is_begun_where_nothing_waits(outbox: PostgresOutbox) -> None:
    hold = await held(outbox, ONE, 0)

    assert await begun(outbox, hold, 1) == []
    assert (await held(outbox, ONE, 0)).position == 0


async def test_a_position_that_moved_on_refuses_everything(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await scene.tell(8, 1, 2)
    hold = await held(outbox, ONE, 0)
    events = await outbox.begin(hold, number=1, limit=1, most_bytes=MIB)
    await outbox.begin(replace(hold, position=1), number=3, limit=1, most_bytes=MIB)

    assert await begun(outbox, hold, 5) == []
    assert not await outbox.mark(replace(hold, position=1), events)
    assert not await outbox.rewind(replace(hold, position=1), reached=0)
    assert await scene.unpublished() == 2


async def test_another_holder_refuses_everything(scene: Scene, outbox: PostgresOutbox) -> None:
    await scene.tell(8, 1, 2)
    hold = await held(outbox, ONE, 0)
    events = await outbox.begin(hold, number=1, limit=1, most_bytes=MIB)
    await scene.lapse()
    await outbox.keep(TWO)

    assert await begun(outbox, replace(hold, position=1), 3) == []
    assert not await outbox.mark(replace(hold, position=1), events)
    assert not await outbox.rewind(replace(hold, position=1), reached=0)
    assert (await held(outbox, TWO, 0)).position == 1


async def test_large_events_come_a_few_at_a_time(scene: Scene, outbox: PostgresOutbox) -> None:
    await scene.tell_large(6, MIB)
    hold = await held(outbox, ONE, 0)

    assert await begun(outbox, hold, 1) == [1, 2, 3]


async def test_one_event_that_is_too_large_comes_alone(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await scene.tell_large(2, 5 * MIB)
    hold = await held(outbox, ONE, 0)

    assert await begun(outbox, hold, 1) == [1]


async def test_a_rewind_undoes_exactly_what_came_later(
    scene: Scene, outbox: PostgresOutbox
) -> None:
    await scene.tell(8, 1, 10)
    await scene.tell(9, 1, 2)
    hold = await held(outbox, ONE, 0)
    for number in (1, 3, 5, 7, 9):
        events = await outbox.begin(hold, number=number, limit=2, most_bytes=MIB)
        assert await outbox.mark(replace(hold, position=number), events)
        hold = replace(hold, position=number + 1)

    assert await outbox.rewind(hold, reached=1)

    assert await begun(outbox, hold, 11, limit=20) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert await outbox.waiting([1]) == [1]
