"""Rules that strike daily or more often: days that filters admit, and units within them."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Final

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.days import (
    LAST_DAY,
    MONTH_STARTS,
    first_of_month,
    is_leap,
    months_from,
    placed,
    weekday_of,
)
from ordinaut_mcp.domain.recurrence.filled import UNIT_SECONDS, chosen, times_of_period
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule

DAY: Final = 86_400
EVERY_DAY: Final = 31


class DayFilter:
    """The days that BYMONTH, BYMONTHDAY, BYYEARDAY and BYDAY admit, one month at a time."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._months = rule.by_month or tuple(range(1, 13))
        self._weekdays = frozenset(day for _, day in rule.by_day) or frozenset(range(7))
        self._shapes: dict[tuple[int, int, bool], tuple[int, ...]] = {}
        self.admits_all = not (
            rule.by_month or rule.by_month_day or rule.by_year_day or rule.by_day
        )

    def first(self, ordinal: int, budget: Budget) -> int | None:
        """The first admitted day at or after this one."""
        if self.admits_all or ordinal > LAST_DAY:
            return ordinal if ordinal <= LAST_DAY else None
        day = datetime.fromordinal(ordinal)
        month = day.year * 12 + day.month - 1
        for index in months_from(month, self._months):
            budget.spend()
            first, _ = first_of_month(index)
            days = self._days(index, first)
            at = bisect_left(days, ordinal - first)
            if at < len(days):
                return first + days[at] if first + days[at] <= LAST_DAY else None
        return None

    def _days(self, index: int, first: int) -> tuple[int, ...]:
        year, month = divmod(index, 12)
        shape = (weekday_of(first), month, is_leap(year))
        days = self._shapes.get(shape)
        if days is None:
            days = self._shapes[shape] = self._admitted(*shape)
        return days

    def _admitted(self, weekday: int, month: int, leap: bool) -> tuple[int, ...]:
        starts = MONTH_STARTS[leap]
        start, length = starts[month], starts[month + 1] - starts[month]
        admitted = {day for day in range(length) if (weekday + day) % 7 in self._weekdays}
        if self._rule.by_month_day:
            admitted &= {day for day, _ in placed(self._rule.by_month_day, length, "OMIT")}
        if self._rule.by_year_day:
            named = placed(self._rule.by_year_day, 365 + leap, "OMIT")
            admitted &= {day - start for day, _ in named}
        return tuple(sorted(admitted))


class DayExpander:
    """DAILY: each admitted day that INTERVAL keeps, at the rule's times."""

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._anchor = anchor
        self._origin = anchor.toordinal()
        self._interval = rule.interval
        self._days = DayFilter(rule)
        times = times_of_period(rule)
        self._times = tuple(times[index] for index in chosen(rule, len(times)))

    def first(self, start: datetime, budget: Budget) -> datetime | None:
        start = max(start, self._anchor)
        ordinal = start.toordinal()
        day = self._kept(ordinal, budget)
        if day is not None and day == ordinal:
            second = start.hour * 3_600 + start.minute * 60 + start.second
            at = bisect_left(self._times, second)
            if at < len(self._times):
                return datetime.fromordinal(day) + timedelta(seconds=self._times[at])
            day = self._kept(ordinal + 1, budget)
        if day is None:
            return None
        return datetime.fromordinal(day) + timedelta(seconds=self._times[0])

    def _kept(self, ordinal: int, budget: Budget) -> int | None:
        """The first day at or after this one that is both admitted and aligned."""
        while True:
            budget.spend()
            ordinal += (self._origin - ordinal) % self._interval
            admitted = self._days.first(ordinal, budget)
            if admitted is None or admitted == ordinal:
                return admitted
            ordinal = admitted


class OftenExpander:
    """HOURLY, MINUTELY and SECONDLY: units of the wall clock, counted from the anchor's."""

    def __init__(self, rule: Rule, anchor: datetime) -> None:
        self._anchor = anchor
        self._unit = UNIT_SECONDS[rule.freq]
        self._per_day = DAY // self._unit
        self._interval = rule.interval
        self._origin = _seconds(anchor) // self._unit
        self._days = DayFilter(rule)
        self._clock = _Clock(rule)
        times = times_of_period(rule)
        self._times = tuple(times[index] for index in chosen(rule, len(times)))

    def first(self, start: datetime, budget: Budget) -> datetime | None:
        start = max(start, self._anchor)
        unit, into = divmod(_seconds(start), self._unit)
        found = self._kept(unit, budget)
        if found is not None and found == unit:
            at = bisect_left(self._times, into)
            if at < len(self._times):
                return _time(found * self._unit + self._times[at])
            found = self._kept(unit + 1, budget)
        return None if found is None else _time(found * self._unit + self._times[0])

    def _kept(self, unit: int, budget: Budget) -> int | None:
        """The first unit at or after this one that is aligned, on an admitted day and hour."""
        while True:
            budget.spend()
            unit += (self._origin - unit) % self._interval
            day, time = divmod(unit, self._per_day)
            admitted = self._days.first(day, budget)
            if admitted is None:
                return None
            if admitted > day:
                unit = admitted * self._per_day
                continue
            allowed = self._clock.first(time)
            if allowed == time:
                return unit
            unit = (day + 1) * self._per_day if allowed is None else unit - time + allowed


class _Clock:
    """The units of a day that BYHOUR, BYMINUTE and BYSECOND admit as filters."""

    def __init__(self, rule: Rule) -> None:
        levels = [(rule.by_hour, 24)]
        if rule.freq >= Freq.MINUTELY:
            levels.append((rule.by_minute, 60))
        if rule.freq >= Freq.SECONDLY:
            levels.append((rule.by_second, 60))
        self._levels = [(size, values or tuple(range(size))) for values, size in levels]

    def first(self, time: int) -> int | None:
        """The first admitted unit of the day at or after this one."""
        digits = list[int]()
        for size, _ in reversed(self._levels):
            time, digit = divmod(time, size)
            digits.insert(0, digit)
        found = self._ascend(digits, 0)
        if found is None:
            return None
        unit = 0
        for (size, _), digit in zip(self._levels, found, strict=True):
            unit = unit * size + digit
        return unit

    def _ascend(self, digits: list[int], level: int) -> list[int] | None:
        """The least admitted reading at or after `digits`, from this level down."""
        if level == len(self._levels):
            return []
        values = self._levels[level][1]
        at = bisect_left(values, digits[level])
        if at < len(values) and values[at] == digits[level]:
            rest = self._ascend(digits, level + 1)
            if rest is not None:
                return [values[at], *rest]
            at += 1
        if at == len(values):
            return None
        return [values[at], *(values[0] for _, values in self._levels[level + 1 :])]


def _seconds(local: datetime) -> int:
    return local.toordinal() * DAY + local.hour * 3_600 + local.minute * 60 + local.second


def _time(seconds: int) -> datetime:
    day, second = divmod(seconds, DAY)
    return datetime.fromordinal(day) + timedelta(seconds=second)
