"""The naive local times that a rule names: always "the first from here on", never a replay.

Each expander jumps to the INTERVAL-aligned period that holds the question by arithmetic, so
the age of the anchor costs nothing; each period that it then visits costs one step of budget.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.days import (
    LAST_DAY,
    MonthDays,
    YearDays,
    first_of_month,
    first_of_year,
    weekday_of,
)
from ordinaut_mcp.domain.recurrence.expand_often import DayExpander, OftenExpander
from ordinaut_mcp.domain.recurrence.filled import chosen, filled, times_of_period
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule


class Expander(Protocol):
    """Names naive local times, in whole seconds."""

    def first(self, start: datetime, budget: Budget) -> datetime | None:
        """The first time at or after `start`; None when there is none up to the year 9990.

        Raises:
            InvalidInput: `too_complex`, when the budget is spent.
        """
        ...


def expander_for(rule: Rule, anchor: datetime) -> Expander:
    """The expander of a rule with its anchor; nothing before the anchor is ever named."""
    whole = filled(rule, anchor)
    if rule.freq >= Freq.HOURLY:
        return OftenExpander(whole, anchor)
    if rule.freq == Freq.DAILY:
        return DayExpander(whole, anchor)
    return PeriodExpander(whole, anchor)


class PeriodExpander:
    """YEARLY, MONTHLY and WEEKLY: a period is a set of days times a set of times of day."""

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._rule = rule
        self._anchor = anchor
        self._times = times_of_period(rule)
        self._periods = _periods(rule, anchor)

    def first(self, start: datetime, budget: Budget) -> datetime | None:
        start = max(start, self._anchor)
        ordinal = start.toordinal()
        second = start.hour * 3_600 + start.minute * 60 + start.second
        number = self._periods.number_of(ordinal)
        if self._rule.skip != "OMIT":
            number -= 1  # the period before may reach into this one
        for candidate in range(number, number + self._periods.cycle):
            budget.spend()
            if self._periods.start(candidate) > LAST_DAY:
                break
            found = self._in_period(candidate, ordinal, second)
            if found is not None:
                return _at(*self._least(found, candidate, ordinal, second))
        return None

    def _least(self, found: tuple[int, int], number: int, *start: int) -> tuple[int, int]:
        """With SKIP and BYSETPOS neighbours can interleave on the day where they meet."""
        if self._rule.skip == "OMIT":
            return found
        return min(found, self._in_period(number + 1, *start) or found)

    def _in_period(self, number: int, ordinal: int, second: int) -> tuple[int, int] | None:
        """The first (day, second of day) of a period at or after the question."""
        if number < 0:
            return None
        first, days = self._periods.days(number)
        if not days or first + days[-1] < ordinal:
            return None
        if not self._rule.by_set_pos:
            return _first_of_product(first, days, self._times, start=(ordinal, second))
        return self._first_chosen(first, days, (ordinal, second))

    def _first_chosen(
        self, first: int, days: Sequence[int], start: tuple[int, int]
    ) -> tuple[int, int] | None:
        per_day = len(self._times)
        for index in chosen(self._rule, len(days) * per_day):
            day, time = divmod(index, per_day)
            found = (first + days[day], self._times[time])
            if found >= start:
                return found
        return None


def _first_of_product(
    first: int, days: Sequence[int], times: Sequence[int], *, start: tuple[int, int]
) -> tuple[int, int] | None:
    index = bisect_left(days, start[0] - first)
    if index < len(days) and first + days[index] == start[0]:
        time = bisect_left(times, start[1])
        if time < len(times):
            return start[0], times[time]
        index += 1
    return (first + days[index], times[0]) if index < len(days) else None


def _at(ordinal: int, second: int) -> datetime:
    return datetime.fromordinal(ordinal) + timedelta(seconds=second)


class _Periods(Protocol):
    """Periods that INTERVAL keeps, counted from the anchor's own, which is 0."""

    @property
    def cycle(self) -> int:
        """After so many empty periods the calendar repeats, and all are empty."""
        ...

    def number_of(self, ordinal: int) -> int:
        """The number of the period that holds a day, or of the next one that is kept."""
        ...

    def start(self, number: int) -> int: ...

    def days(self, number: int) -> tuple[int, Sequence[int]]:
        """The period's first day, and the rule's days as ascending offsets from it."""
        ...


def _periods(rule: Rule, anchor: datetime) -> _Periods:
    if rule.freq == Freq.YEARLY:
        return _Years(rule, anchor)
    return _Months(rule, anchor) if rule.freq == Freq.MONTHLY else _Weeks(rule, anchor)


class _Years:
    cycle = 402

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._interval = rule.interval
        self._origin = anchor.year
        self._days = YearDays(rule)

    def number_of(self, ordinal: int) -> int:
        year = datetime.fromordinal(ordinal).year
        return -((self._origin - year) // self._interval)

    def start(self, number: int) -> int:
        return first_of_year(self._origin + number * self._interval)

    def days(self, number: int) -> tuple[int, Sequence[int]]:
        year = self._origin + number * self._interval
        first = first_of_year(year)
        return first, self._days.of(year, first)


class _Months:
    cycle = 4_802

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._interval = rule.interval
        self._origin = anchor.year * 12 + anchor.month - 1
        self._kept = frozenset(month - 1 for month in rule.by_month) or frozenset(range(12))
        self._days = MonthDays(rule)

    def number_of(self, ordinal: int) -> int:
        day = datetime.fromordinal(ordinal)
        return -((self._origin - day.year * 12 - day.month + 1) // self._interval)

    def start(self, number: int) -> int:
        return first_of_month(self._origin + number * self._interval)[0]

    def days(self, number: int) -> tuple[int, Sequence[int]]:
        month = self._origin + number * self._interval
        if month % 12 not in self._kept:
            return 0, ()
        first, length = first_of_month(month)
        return first, self._days.of(first, length)


class _Weeks:
    cycle = 20_874

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._span = rule.interval * 7
        first = anchor.toordinal()
        self._origin = first - (weekday_of(first) - rule.week_start) % 7
        self._months = rule.by_month
        self._offsets = sorted({(day - rule.week_start) % 7 for _, day in rule.by_day})

    def number_of(self, ordinal: int) -> int:
        # A day in a week that is kept belongs to it; any other to the next week kept.
        number, into = divmod(ordinal - self._origin, self._span)
        return number if into < 7 else number + 1

    def start(self, number: int) -> int:
        return self._origin + number * self._span

    def days(self, number: int) -> tuple[int, Sequence[int]]:
        first = self.start(number)
        if not self._months:
            return first, self._offsets
        return first, [
            offset
            for offset in self._offsets
            if datetime.fromordinal(first + offset).month in self._months
        ]
