"""Local times become instants: the only place that knows gaps and folds.

All three ways are strictly increasing and never name an instant twice. Away from clock
changes they are one subtraction; near one, they look at what it skips or repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.zone import Gap, change_between, offset_at, offsets_of

SECOND: Final = timedelta(seconds=1)
REACH: Final = timedelta(hours=25)
"""No change of a zone's clocks is larger than a day, and no two lie closer than this."""
CRON_CATCHES_UP: Final = timedelta(hours=3)
"""Beyond this, cronie takes a change for a correction of the clock and runs nothing late."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One instant that a schedule names, and the local time that it was named by."""

    at: datetime
    local: datetime


class Names(Protocol):
    """What a resolver asks of an expander."""

    def first(self, start: datetime, budget: Budget) -> datetime | None: ...


Resolver = Callable[[datetime, Budget], Slot | None]


@dataclass(frozen=True, slots=True)
class _Change:
    """The clock change that skips or repeats a local time."""

    at: datetime
    begins: datetime
    """The first local time that does not exist, or that happens twice."""
    ends: datetime
    """The first local time after those."""


def _change(local: datetime, offsets: tuple[timedelta, timedelta], tz: ZoneInfo) -> _Change:
    """The change around a local time whose two offsets differ."""
    early, late = sorted(local - offset for offset in offsets)
    at = change_between(early.replace(tzinfo=UTC), late.replace(tzinfo=UTC), tz)
    sides = sorted(offsets)
    naive = at.replace(tzinfo=None)
    return _Change(at, naive + sides[0], naive + sides[1])


def _utc(local: datetime, offset: timedelta) -> datetime:
    return (local - offset).replace(tzinfo=UTC)


class LocalTimes:
    """RRULE's way: each local time once, a repeated one at its first passing.

    A time in a gap is read with the offset before it (`shift`) or does not count (`omit`).
    Shifting is not monotonic (02:30 becomes 03:30, 03:15 stays): both streams are merged.
    """

    def __init__(self, names: Names, tz: ZoneInfo, gap: Gap) -> None:
        self._names = names
        self._tz = tz
        self._shifts = gap == "shift"

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        """The first slot strictly after an instant."""
        offset = offset_at(after, self._tz)
        slot = self._plain(after, _floor(after, offset) + SECOND, budget)
        if not self._shifts:
            return slot
        late = self._shifted(after, offset, budget)
        return late if late and (slot is None or late.at < slot.at) else slot

    def _plain(self, after: datetime, start: datetime, budget: Budget) -> Slot | None:
        """The first slot after `after` named from `start` on."""
        local = self._names.first(start, budget)
        if local is None:
            return None
        first, second = offsets_of(local, self._tz)
        if first == second:
            return Slot(_utc(local, first), local)
        change = _change(local, (first, second), self._tz)
        if first > second:
            slot = Slot(_utc(local, first), local)
            return slot if slot.at > after else self._plain(after, change.ends, budget)
        beyond = self._plain(after, change.ends, budget)
        if not self._shifts:
            return beyond
        slot = Slot(_utc(local, first), local)
        return beyond if beyond and beyond.at <= slot.at else slot

    def _shifted(self, after: datetime, offset: timedelta, budget: Budget) -> Slot | None:
        """A time of a gap that lies behind us on the wall clock, but not yet in its shift."""
        before = offset_at(after - REACH, self._tz)
        if before >= offset:
            return None
        change_at = change_between(after - REACH, after, self._tz)
        ends = change_at.replace(tzinfo=None) + offset
        start = _floor(after, before) + SECOND
        local = self._names.first(start, budget) if start < ends else None
        return Slot(_utc(local, before), local) if local and local < ends else None


class FixedTimes:
    """Cron's way for fixed times.

    What a gap skips runs once, at the first minute after it; a repeated time runs at its first
    passing. With `omit`, or when the clock jumps by more than three hours, a gap's times fall out.
    """

    def __init__(self, names: Names, tz: ZoneInfo, gap: Gap) -> None:
        self._names = names
        self._tz = tz
        self._catches_up = gap == "shift"

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        """The first slot strictly after an instant."""
        start = _floor(after, offset_at(after, self._tz)) + SECOND
        while (local := self._names.first(start, budget)) is not None:
            first, second = offsets_of(local, self._tz)
            if first == second:
                return Slot(_utc(local, first), local)
            change = _change(local, (first, second), self._tz)
            if first > second:
                slot = Slot(_utc(local, first), local)
            else:
                caught = self._catches_up and second - first <= CRON_CATCHES_UP
                slot = Slot(change.at, local) if caught else None
            if slot is not None and slot.at > after:
                return slot
            start = change.ends
        return None


class WallClock:
    """Cron's way for wildcards: whenever the clock on the wall shows the time, also again."""

    def __init__(self, names: Names, tz: ZoneInfo, gap: Gap) -> None:
        self._names = names
        self._tz = tz
        self._gap = gap

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        """The first slot strictly after an instant."""
        offset = offset_at(after, self._tz)
        now = _floor(after, offset)
        slot = self._shown(after, now + SECOND, budget)
        first, second = offsets_of(now, self._tz)
        if first > second and first == offset:
            again = self._second_pass(_change(now, (first, second), self._tz), second, budget)
            if again is not None and (slot is None or again.at < slot.at):
                return again
        return slot

    def _shown(self, after: datetime, start: datetime, budget: Budget) -> Slot | None:
        """The first instant after `after` that shows a matching time from `start` on."""
        while (local := self._names.first(start, budget)) is not None:
            first, second = offsets_of(local, self._tz)
            if first < second:
                start = _change(local, (first, second), self._tz).ends
                continue
            at = _utc(local, first)
            return Slot(at if at > after else _utc(local, second), local)
        return None

    def _second_pass(self, change: _Change, offset: timedelta, budget: Budget) -> Slot | None:
        """The first match when the clock shows the repeated times again."""
        local = self._names.first(change.begins, budget)
        if local is None or local >= change.ends:
            return None
        return Slot(_utc(local, offset), local)


def _floor(at: datetime, offset: timedelta) -> datetime:
    """The local time at an instant, in whole seconds."""
    return (at + offset).replace(tzinfo=None, microsecond=0)
