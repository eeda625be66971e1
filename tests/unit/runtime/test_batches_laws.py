"""The law of batches: whatever happens, each line is written once and everybody gets an answer."""

from __future__ import annotations

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.batches import LANES
from tests.unit.runtime.gathering import Asked, Gathering, gathering

MOVES = ("submit", "submit", "submit", "cancel", "answer", "answer", "fail", "lose", "go", "go")
Moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 15)), max_size=60)


class Story:
    """What happens to one set of batches, move by move."""

    def __init__(self, all_of_us: Gathering) -> None:
        self.all_of_us = all_of_us
        self.database = all_of_us.database
        self.submitted = 0
        self.unwanted: set[int] = set()

    async def move(self, name: str, number: int) -> None:
        await getattr(self, name)(number)

    async def submit(self, number: int) -> None:
        """A few at once; some go on before the next move, some do not."""
        for _ in range(1 + number // 4):
            self.submitted += 1
            self.all_of_us.submit(self.submitted)

    async def cancel(self, number: int) -> None:
        """One that waits, writes, or was told long ago."""
        if self.submitted:
            chosen = self.submitted - number % self.submitted
            self.unwanted.add(chosen)
            self.all_of_us.cancel(chosen)

    async def answer(self, number: int) -> None:
        if pending := self._pending():
            self.database.answer(pending[number % len(pending)])

    async def fail(self, number: int) -> None:
        if pending := self._pending():
            self.database.answer(pending[number % len(pending)], Unavailable("Away."))

    async def lose(self, number: int) -> None:
        self.database.lost.add(self.submitted - number)

    async def go(self, number: int) -> None:
        await self.all_of_us.let_go(number)

    async def end(self) -> None:
        """Everything that is asked is answered, until nobody waits."""
        everybody = set(range(1, self.submitted + 1))
        while not self.all_of_us.told.keys() | self.all_of_us.cancelled >= everybody:
            for batch in self._pending():
                self.database.answer(batch)
            await self.all_of_us.let_go(1)

    def _pending(self) -> list[int]:
        asked = enumerate(self.database.asked)
        return [place for place, one in asked if not one.answered.is_set()]

    def truth(self, batch: Asked, number: int) -> bool | str:
        """What the submitter of a line must have been told."""
        return batch.error.message if batch.error else number not in self.database.lost


async def told(moves: list[tuple[str, int]]) -> Story:
    async with gathering() as all_of_us:
        story = Story(all_of_us)
        for name, number in moves:
            await story.move(name, number)
        losses = set(story.database.lost)
        await story.end()
        assert story.database.lost == losses
    return story


@settings(max_examples=400, deadline=None)
@given(Moves)
def test_each_line_is_written_at_most_once_in_order_and_nobody_waits_for_ever(
    moves: list[tuple[str, int]],
) -> None:
    story = anyio.run(told, moves)

    written = [number for batch in story.database.batches for number in batch]
    everybody = set(range(1, story.submitted + 1))
    answers = story.all_of_us.told
    # Once at most, in the order of their coming; only what nobody waits for is left out.
    assert written == sorted(set(written))
    assert everybody - set(written) <= story.all_of_us.cancelled
    # Whoever was not cancelled has an answer.
    assert answers.keys() >= everybody - story.unwanted
    assert story.database.most_at_once <= LANES
    assert story.database.torn == []


@settings(max_examples=200, deadline=None)
@given(Moves.filter(lambda moves: all(name != "lose" for name, _ in moves)))
def test_everybody_is_told_what_came_of_their_own_batch(moves: list[tuple[str, int]]) -> None:
    story = anyio.run(told, moves)

    truths = {
        number: story.truth(batch, number)
        for batch in story.database.asked
        for number in batch.numbers
    }
    assert story.all_of_us.told.items() <= truths.items()
