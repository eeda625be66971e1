"""What becomes of the slots that are due: each runs, or is skipped with its reason.

A stopped runtime, a sleeping laptop and a clock that jumps are the ordinary case. However long
the sleep and however dense the schedule, some thousand slots are looked at and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import islice, takewhile
from typing import Final, Literal, Self

from ordinaut_mcp.domain.schedule import Kind, Occurrence, Schedule

Misfire = Literal["latest", "all", "skip"]
"""What becomes of slots whose time passed: the newest runs, all run up to a bound, none runs."""

ON_TIME: Final = timedelta(seconds=1)
HALF_A_DAY: Final = timedelta(hours=12)
LOOKED_AT: Final = 2_000
"""Slots that are counted one by one in a long stretch; beyond, the count is a lower bound."""
TICK: Final = timedelta(microseconds=1)
SECOND: Final = timedelta(seconds=1)
FAR: Final = datetime(9990, 1, 1, tzinfo=UTC)

Walk = Callable[[datetime, datetime], Iterator[Occurrence]]
"""Names slots in (after, until], in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MisfirePolicy:
    """What becomes of slots whose time has passed.

    A slot later than `max_lateness` (None: no limit) never runs. `all` runs at most
    `catch_up_limit` of them, the newest.

    Raises:
        ValueError: a negative lateness, or a limit below 1.
    """

    misfire: Misfire = "latest"
    max_lateness: timedelta | None = HALF_A_DAY
    catch_up_limit: int = 100

    def __post_init__(self) -> None:
        if self.max_lateness is not None and self.max_lateness < timedelta(0):
            raise ValueError(f"max_lateness must not be negative: {self.max_lateness}")
        if self.catch_up_limit < 1:
            raise ValueError(f"catch_up_limit must be at least 1, not {self.catch_up_limit}")

    @classmethod
    def default_for(cls, kind: Kind) -> Self:
        """`latest`; twelve hours of lateness, without limit for what happens only once."""
        single = kind in {Kind.ONCE, Kind.IN}
        return cls(max_lateness=None if single else HALF_A_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring slots that did not run, for one reason.

    Where `count_is_exact` is false there were at least `count`.
    """

    reason: Literal["late", "excluded"]
    first: datetime
    last: datetime
    count: int
    count_is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """Every slot before `next_at`, each exactly once, among `runs` or `skipped`, in order.

    `next_at` is the next slot that is not excluded, after now; None when there is none. What
    is excluded on the way to it is among `skipped` already.
    """

    runs: tuple[Occurrence, ...]
    skipped: tuple[Stretch, ...]
    next_at: datetime | None


def account(
    schedule: Schedule,
    *,
    due_from: datetime,
    now: datetime,
    policy: MisfirePolicy,
    on_time: timedelta = ON_TIME,
) -> Accounting:
    """Decide what becomes of every slot from `due_from` (inclusive) up to now.

    A slot no older than `on_time` always runs. When now lies before `due_from`, as after a
    clock was set back, nothing is due, and nothing before `due_from` is named again.

    Raises:
        InvalidInput: `too_complex`, as `Schedule.next_after`.
    """
    start = due_from - TICK
    until = max(now, start)
    runs = _runs(schedule, start, now, policy=policy, on_time=on_time)
    following = schedule.next_after(until)
    skipped = _skipped(schedule, start, runs=runs, following=following)
    return Accounting(
        runs=tuple(runs), skipped=tuple(skipped), next_at=following.at if following else None
    )


def jitter(
    task_id: int, nominal: datetime, jitter: timedelta, gap_to_next: timedelta | None
) -> timedelta:
    """How much later than its nominal time a slot starts: always the same for the same slot.

    It lies in [0, min(jitter, gap to the next slot)), so that the order of slots holds.
    """
    most = jitter if gap_to_next is None else min(jitter, gap_to_next)
    if most <= timedelta(0):
        return timedelta(0)
    digest = sha256(f"{task_id}:{nominal.timestamp():.6f}".encode()).digest()
    fraction = int.from_bytes(digest[:8]) / 2**64
    return timedelta(microseconds=int(fraction * (most / TICK)))


def _runs(
    schedule: Schedule,
    start: datetime,
    now: datetime,
    *,
    policy: MisfirePolicy,
    on_time: timedelta,
) -> list[Occurrence]:
    """The slots in (start, now] that run, in order."""
    punctual = max(start, now - on_time - TICK)
    runs = [slot for slot in _slots(schedule, punctual, now) if not slot.excluded]
    if policy.misfire == "skip":
        return runs
    oldest = start
    if policy.max_lateness is not None:
        oldest = max(start, now - policy.max_lateness - TICK)
    wanted = policy.catch_up_limit if policy.misfire == "all" else 1
    return [*_newest(partial(_running, schedule), oldest, punctual, wanted=wanted), *runs]


def _slots(schedule: Schedule, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """The slots in (after, until], excluded ones too."""
    if after >= until:
        return iter(())
    return takewhile(lambda slot: slot.at <= until, schedule.slots_after(after))


def _newest(walk: Walk, after: datetime, until: datetime, *, wanted: int) -> Sequence[Occurrence]:
    """The newest `wanted` slots that a walk finds in (after, until], in order.

    Windows that end at `until` grow until they hold enough. One that turns out to hold far
    more is narrowed by halves, so that a burst before a quiet time costs no walk through it.
    """
    narrow, width, wide = timedelta(0), SECOND, timedelta(0)
    most = 4 * wanted + 8
    while after < until:
        begin = max(after, until - width)
        found = list(islice(walk(begin, until), most + 1))
        if len(found) > most:
            wide = width
        elif len(found) < wanted and begin > after:
            narrow = width
        else:
            return found[-wanted:]
        width = narrow + (wide - narrow) / 2 if wide else width * 4
    return ()


def _running(schedule: Schedule, after: datetime, until: datetime) -> Iterator[Occurrence]:
    """The slots in (after, until] that are not excluded; excluded days cost one step."""
    while after < until and (slot := schedule.next_after(after)) and slot.at <= until:
        yield slot
        after = slot.at


class _Skipped:
    """Gathers the slots that do not run into stretches, counting at most `LOOKED_AT` singly."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._left = LOOKED_AT
        self.stretches = list[Stretch]()

    def between(self, after: datetime, before: datetime) -> None:
        """Take all slots in (after, before)."""
        at = after
        while (slot := next(self._schedule.slots_after(at), None)) and slot.at < before:
            if slot.excluded:
                other = self._schedule.next_after(slot.at)
            else:
                other = self._schedule.next_excluded_after(slot.at)
            end = min(before, other.at) if other else before
            stretch = self._stretch(slot, end)
            self.stretches.append(stretch)
            at = stretch.last

    def _stretch(self, slot: Occurrence, end: datetime) -> Stretch:
        """The slots from this one up to `end`, which all have its reason."""
        last, count = slot.at, 1
        following = self._schedule.slots_after(slot.at)
        while (later := next(following, None)) and later.at < end and self._left > 0:
            last, count = later.at, count + 1
            self._left -= 1
        is_exact = later is None or later.at >= end
        if not is_exact:
            counted = self._schedule.count_between(slot.at, end)
            count, is_exact = counted or count + 1, counted is not None
            last = _newest(self._slots, slot.at, end - TICK, wanted=1)[0].at
        return Stretch(
            reason="excluded" if slot.excluded else "late",
            first=slot.at,
            last=last,
            count=count,
            count_is_exact=is_exact,
        )

    def _slots(self, after: datetime, until: datetime) -> Iterator[Occurrence]:
        return _slots(self._schedule, after, until)


def _skipped(
    schedule: Schedule,
    start: datetime,
    *,
    runs: Sequence[Occurrence],
    following: Occurrence | None,
) -> list[Stretch]:
    """Every slot after `start` and before `following` that is not among the runs."""
    skipped = _Skipped(schedule)
    for run in runs:
        skipped.between(start, run.at)
        start = run.at
    skipped.between(start, following.at if following else FAR)
    return skipped.stretches
