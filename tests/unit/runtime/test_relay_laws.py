"""The law of the relay: whatever happens, nothing is lost and every run keeps its order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.outbox import OutboxEvent
from tests.unit.runtime.relaying import Asked, Hand, Redis, Row, Stream, Tables, event

RUNS = 2
HANDS = 2
MOVES = (
    *("told", "told", "tell", "commit", "work", "work", "work", "work", "step", "look"),
    *("die", "late", "late", "copy", "restore", "restore", "flush", "read"),
)
Moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 15)), min_size=10, max_size=60)


class World:
    """Tables, Redis, relays, and a reader that drops what comes again."""

    def __init__(self) -> None:
        self.tables, self.redis = Tables(), Redis()
        self.hands = [Hand(number + 1, self.tables, self.redis) for number in range(HANDS)]
        self.counts = [0] * RUNS
        self.open: dict[int, OutboxEvent] = {}
        self.afloat: list[Asked] = []
        self.copies: list[Stream] = []
        self.ids = 0
        self.seen: list[OutboxEvent] = []

    def move(self, name: str, number: int) -> None:
        getattr(self, name)(number)
        assert_in_order(self.redis.stream.entries)
        assert_in_order(self.seen)

    def tell(self, number: int) -> None:
        """A transaction takes an id and stays open; those of one run come one after another."""
        run = number % RUNS
        if run not in self.open:
            self.ids += 1
            self.counts[run] += 1
            self.open[run] = event(self.ids, run, self.counts[run])

    def commit(self, number: int) -> None:
        if found := self.open.pop(number % RUNS, None):
            self.tables.rows.append(Row(found))

    def told(self, number: int) -> None:
        """A few quick transactions."""
        for _ in range(1 + number // RUNS // 2):
            self.tell(number)
            self.commit(number)

    def step(self, number: int) -> None:
        self.hands[number % HANDS].step()

    def work(self, number: int) -> None:
        """Take the lease and do a few calls' worth."""
        relay = self.hands[number % HANDS]
        for _ in range(1 + number // HANDS):
            relay.take()
            relay.step()

    def look(self, number: int) -> None:
        self.hands[number % HANDS].look()

    def die(self, number: int) -> None:
        """What it asked last is done at once, later, or never."""
        if asked := self.hands[number % HANDS].die():
            self.afloat.append(asked)

    def late(self, number: int) -> None:
        """A question of one that died arrives, perhaps for the second time."""
        if self.afloat:
            self.afloat[number % len(self.afloat)].answer()

    def copy(self, number: int) -> None:
        del number
        self.copies.append(self.redis.stream)

    def restore(self, number: int) -> None:
        if self.copies:
            self.redis.stream = self.copies[number % len(self.copies)]

    def flush(self, number: int) -> None:
        del number
        self.redis.stream = Stream()

    def read(self, number: int) -> None:
        """Up to so many entries."""
        stream = self.redis.stream
        upto = min(stream.read + number, len(stream.entries))
        self.seen += stream.entries[stream.read : upto]
        self.redis.stream = Stream(stream.entries, stream.reached, upto)

    def settle(self) -> None:
        """All transactions end, and one relay works undisturbed."""
        for run in list(self.open):
            self.commit(run)
        relay = Hand(99, self.tables, self.redis)
        relay.take()
        relay.look()
        for _ in range(400):
            relay.step()
            relay.take()
        self.read(10_000)


def assert_in_order(entries: Sequence[OutboxEvent]) -> None:
    """Of each run, without repeats: 1, 2, 3 and so on."""
    by_run: dict[int | None, list[int | None]] = {}
    for told in dict.fromkeys(entries):
        by_run.setdefault(told.run_id, []).append(told.sequence)
    for sequences in by_run.values():
        assert sequences == list(range(1, len(sequences) + 1))


@settings(max_examples=400, deadline=None)
@given(Moves)
def test_whatever_happens_nothing_is_lost_and_no_run_is_out_of_order(
    moves: list[tuple[str, int]],
) -> None:
    world = World()
    for name, number in moves:
        world.move(name, number)

    world.settle()

    told = {row.event for row in world.tables.rows}
    assert set(world.redis.stream.entries) == told
    assert set(world.seen) == told
    assert all(row.batch is not None for row in world.tables.rows)
    assert_in_order(world.redis.stream.entries)
    assert_in_order(world.seen)
