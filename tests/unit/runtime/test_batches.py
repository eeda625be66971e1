"""Writes gather into batches: what each submitter may rely on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.run import Lease
from ordinaut_mcp.errors import InvalidInput, OrdinautError, Unavailable
from ordinaut_mcp.runtime.batches import LARGEST, Batches
from tests.unit.runtime.gathering import Line, a_line, gathering

pytestmark = pytest.mark.anyio

BROKEN = InvalidInput("Broken.", field="data")


async def test_one_that_comes_alone_is_written_alone_and_at_once() -> None:
    async with gathering() as all_of_us:
        for number in (1, 2):
            all_of_us.submit(number)
            await all_of_us.until_asked(number)
            all_of_us.database.answer(number - 1)
            await all_of_us.until_over(number)

    assert all_of_us.database.batches == [[1], [2]]
    assert all_of_us.told == {1: True, 2: True}


async def test_those_that_are_ready_together_are_written_together() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1, 2, 3, 4)
        await all_of_us.until_asked(1)
        all_of_us.database.answer(0)

    assert all_of_us.database.batches == [[1, 2, 3, 4]]
    assert all_of_us.told == dict.fromkeys((1, 2, 3, 4), True)


async def test_what_comes_while_writes_are_under_way_waits_and_is_one_batch() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1)
        await all_of_us.until_asked(1)
        all_of_us.submit(2)
        await all_of_us.until_asked(2)
        all_of_us.submit(*range(3, 60))
        await all_of_us.let_go()
        assert len(all_of_us.database.batches) == 2
        all_of_us.database.answer(0)
        await all_of_us.until_asked(3)
        all_of_us.database.answer(1)
        all_of_us.database.answer(2)

    # In the order in which they came.
    assert all_of_us.database.batches == [[1], [2], list(range(3, 60))]
    assert set(all_of_us.told.values()) == {True}


async def test_no_more_than_two_batches_are_under_way() -> None:
    async with gathering() as all_of_us:
        for number in range(1, 7):
            all_of_us.submit(number)
            await all_of_us.let_go()
        for batch in range(3):
            await all_of_us.until_asked(batch + 1)
            all_of_us.database.answer(batch)

    assert all_of_us.database.most_at_once == 2
    assert all_of_us.database.batches == [[1], [2], [3, 4, 5, 6]]


async def test_no_batch_is_larger_than_the_largest() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(*range(LARGEST + 50))
        for batch in range(2):
            await all_of_us.until_asked(batch + 1)
            all_of_us.database.answer(batch)

    assert all_of_us.database.batches == [list(range(LARGEST)), list(range(LARGEST, LARGEST + 50))]
    assert set(all_of_us.told.values()) == {True}


async def test_an_error_reaches_all_of_its_batch_and_nobody_else() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1)
        await all_of_us.until_asked(1)
        all_of_us.submit(2)
        await all_of_us.until_asked(2)
        all_of_us.submit(3, 4)
        await all_of_us.let_go()
        all_of_us.database.answer(0)
        await all_of_us.until_asked(3)
        all_of_us.database.answer(2, BROKEN)
        await all_of_us.until_over(3, 4)
        all_of_us.database.answer(1)
        await all_of_us.until_over(2)
        all_of_us.submit(5)
        await all_of_us.until_asked(4)
        all_of_us.database.answer(3)

    assert all_of_us.told == {1: True, 2: True, 3: "Broken.", 4: "Broken.", 5: True}


async def test_a_lost_lease_is_told_to_its_own_submitter_only() -> None:
    async with gathering() as all_of_us:
        all_of_us.database.lost = {2}
        all_of_us.submit(1, 2, 3)
        await all_of_us.until_asked(1)
        all_of_us.database.answer(0)

    assert all_of_us.told == {1: True, 2: False, 3: True}


async def test_the_end_of_the_one_that_writes_does_not_tear_what_the_others_wrote() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1, 2, 3)
        await all_of_us.until_asked(1)
        all_of_us.cancel(1)
        await all_of_us.let_go()
        assert all_of_us.told == {}
        all_of_us.database.answer(0)

    assert all_of_us.database.torn == []
    assert all_of_us.told.keys() >= {2, 3}
    assert (all_of_us.told[2], all_of_us.told[3]) == (True, True)


async def test_the_end_of_one_that_waits_for_its_write_leaves_the_write_alone() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1, 2)
        await all_of_us.until_asked(1)
        all_of_us.cancel(2)
        await all_of_us.until_over(2)
        all_of_us.database.answer(0)

    assert all_of_us.database.batches == [[1, 2]]
    assert all_of_us.database.torn == []
    assert (all_of_us.told, all_of_us.cancelled) == ({1: True}, {2})


async def test_the_one_that_was_to_write_hands_over_when_it_ends_before() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1)
        await all_of_us.until_asked(1)
        all_of_us.submit(2)
        await all_of_us.until_asked(2)
        all_of_us.submit(3, 4, 5)
        await all_of_us.let_go()
        # 3 takes over from 1, and ends before it has begun.
        all_of_us.database.answer(0)
        await all_of_us.until_over(1)
        all_of_us.cancel(3)
        await all_of_us.until_over(3)
        await all_of_us.until_asked(3)
        all_of_us.database.answer(1)
        all_of_us.database.answer(2)

    assert all_of_us.database.batches == [[1], [2], [4, 5]]
    assert all_of_us.told == dict.fromkeys((1, 2, 4, 5), True)
    assert all_of_us.cancelled == {3}


async def test_what_nobody_waits_for_any_more_is_not_written() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1)
        await all_of_us.until_asked(1)
        all_of_us.submit(2)
        await all_of_us.until_asked(2)
        all_of_us.submit(3, 4)
        await all_of_us.let_go()
        all_of_us.cancel(3)
        await all_of_us.until_over(3)
        all_of_us.database.answer(0)
        await all_of_us.until_asked(3)
        all_of_us.database.answer(1)
        all_of_us.database.answer(2)

    assert all_of_us.database.batches == [[1], [2], [4]]
    assert all_of_us.cancelled == {3}


async def test_one_whose_line_the_other_writes_waits_for_that_answer() -> None:
    async with gathering() as all_of_us:
        # 2 came while 1 had only said that it would write: two lead, and one write has both.
        all_of_us.submit(1, 2)
        await all_of_us.until_asked(1)
        await all_of_us.let_go()
        assert all_of_us.told == {}
        all_of_us.database.answer(0)

    assert all_of_us.database.batches == [[1, 2]]
    assert all_of_us.told == {1: True, 2: True}


async def test_a_write_that_takes_too_long_is_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.batches.WITHIN", timedelta(milliseconds=20))
    async with gathering() as all_of_us:
        all_of_us.submit(1, 2)
        await all_of_us.until_over(1, 2)
        all_of_us.submit(3)
        await all_of_us.until_asked(2)
        all_of_us.database.answer(1)

    assert all_of_us.told == {
        1: "The database did not answer in time.",
        2: "The database did not answer in time.",
        3: True,
    }
    assert all_of_us.database.torn == [[1, 2]]


async def test_that_error_is_one_that_writers_try_again() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1)
        await all_of_us.until_asked(1)
        all_of_us.database.answer(0, Unavailable("Away."))
        await all_of_us.until_over(1)
        all_of_us.submit(1)
        await all_of_us.until_asked(2)
        all_of_us.database.answer(1)

    assert all_of_us.database.batches == [[1], [1]]
    assert all_of_us.told == {1: True}


async def test_a_second_write_is_on_its_way_while_the_first_has_two_that_came_together() -> None:
    async with gathering() as all_of_us:
        all_of_us.submit(1, 2)
        await all_of_us.until_asked(1)
        all_of_us.submit(3)
        await all_of_us.let_go()
        begun = list(all_of_us.database.batches)
        all_of_us.database.answer(0)
        await all_of_us.until_asked(2)
        all_of_us.database.answer(1)

    assert begun == [[1, 2], [3]]


async def test_an_error_that_is_none_of_ours_leaves_nobody_waiting_for_ever() -> None:
    async def write(batch: Sequence[Line]) -> set[Lease]:
        await checkpoint()
        raise ZeroDivisionError(len(batch))  # as psycopg's DataError is none

    batches, over = Batches(write), list[int]()

    async def submit(number: int) -> None:
        with pytest.raises((ZeroDivisionError, OrdinautError)):
            await batches.submit(a_line(number))
        over.append(number)

    with anyio.move_on_after(2):
        async with anyio.create_task_group() as tasks:
            for number in (1, 2, 3):
                tasks.start_soon(submit, number)

    assert sorted(over) == [1, 2, 3]
