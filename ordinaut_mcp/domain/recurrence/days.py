"""Which days of a month or year a rule names.

The Gregorian calendar has only 14 shapes of a year (28 of a month): the answers are kept by
shape, so that looking at another year costs one look-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Final

from ordinaut_mcp.domain.recurrence.rule import Rule

LAST_DAY: Final = date(9990, 12, 31).toordinal()
"""No search goes further; nine years are left so that no arithmetic overflows."""

YEARS_OF_A_CYCLE: Final = 400
"""After so many years dates fall on the same weekdays: what did not match by then never will."""

MONTH_STARTS: Final = (
    (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365),
    (0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366),
)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def first_of_year(year: int) -> int:
    """The ordinal of January 1, as `date.toordinal` counts."""
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + 1


def first_of_month(month_index: int) -> tuple[int, int]:
    """The ordinal of a month's first day, and its length; months count from year 0."""
    year, month = divmod(month_index, 12)
    starts = MONTH_STARTS[is_leap(year)]
    return first_of_year(year) + starts[month], starts[month + 1] - starts[month]


def months_from(month_index: int, months: Collection[int]) -> Iterator[int]:
    """The months, counted from year 0, at or after one that are among the numbers 1 to 12.

    They end after 400 years: by then the calendar has repeated.
    """
    numbers = sorted(month - 1 for month in months)
    year, month = divmod(month_index, 12)
    yield from (year * 12 + number for number in numbers if number >= month)
    for later in range(year + 1, year + YEARS_OF_A_CYCLE + 1):
        yield from (later * 12 + number for number in numbers)


def weekday_of(ordinal: int) -> int:
    """Monday is 0."""
    return (ordinal + 6) % 7


def placed(numbers: Iterable[int], length: int, skip: str) -> Iterator[tuple[int, int]]:
    """The offsets of the days that 1-based or negative numbers name, by RFC 7529's SKIP.

    Each comes as (offset, offset of the day that was meant); the two differ only where the
    month or year is too short. An offset of -1 or `length` lies in the neighbour.
    """
    for number in numbers:
        if abs(number) <= length:
            offset = number - 1 if number > 0 else length + number
            yield offset, offset
        elif skip != "OMIT":
            inside = length - 1 if number > 0 else 0
            past = length if number > 0 else -1
            forward = (number > 0) == (skip == "FORWARD")
            yield (past if forward else inside), inside


class MonthDays:
    """The days of a month that a MONTHLY rule names, as offsets from its first."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._shapes: dict[tuple[int, int], tuple[int, ...]] = {}

    def of(self, first: int, length: int) -> tuple[int, ...]:
        shape = (weekday_of(first), length)
        days = self._shapes.get(shape)
        if days is None:
            days = self._shapes[shape] = tuple(sorted(set(self._named(*shape))))
        return days

    def _named(self, weekday: int, length: int) -> Iterator[int]:
        rule = self._rule
        if not rule.by_month_day:
            yield from ordinal_days(rule, weekday, start=0, length=length)
            return
        meant = set(ordinal_days(rule, weekday, start=0, length=length))
        for offset, inside in placed(rule.by_month_day, length, rule.skip):
            if _falls(rule, meant, offset=offset, inside=inside, weekday=(weekday + offset) % 7):
                yield offset


class YearDays:
    """The days of a year that a YEARLY rule names, as offsets from January 1."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._shapes: dict[tuple[int, bool, bool, bool], tuple[int, ...]] = {}

    def of(self, year: int, first: int) -> tuple[int, ...]:
        # Days at both ends may belong to a week of a neighbour: its length matters too.
        shape = (weekday_of(first), is_leap(year - 1), is_leap(year), is_leap(year + 1))
        days = self._shapes.get(shape)
        if days is None:
            days = self._shapes[shape] = tuple(sorted(set(self._named(*shape))))
        return days

    def _named(self, weekday: int, *leaps: bool) -> Iterator[int]:
        rule, leap = self._rule, leaps[1]
        length = 365 + leap
        starts = MONTH_STARTS[leap]
        months = rule.by_month or range(1, 13)
        by_ordinal = set(self._weekdays(weekday, starts, length))
        weeks = week_numbers(weekday, leaps, rule.week_start) if rule.by_week_no else []
        for offset, inside in self._candidates(starts, length):
            if month_of(inside, starts) not in months:
                continue
            if rule.by_week_no and not _in_weeks(rule, weeks, inside):
                continue
            if _falls(
                rule, by_ordinal, offset=offset, inside=inside, weekday=(weekday + offset) % 7
            ):
                yield offset

    def _candidates(self, starts: tuple[int, ...], length: int) -> Iterator[tuple[int, int]]:
        """BYYEARDAY and BYMONTHDAY name days; with both, a day must be in both."""
        rule = self._rule
        by_year = set(placed(rule.by_year_day, length, rule.skip))
        by_month = {
            (starts[month] + offset, starts[month] + inside)
            for month in range(12)
            for offset, inside in placed(
                rule.by_month_day, starts[month + 1] - starts[month], rule.skip
            )
        }
        if rule.by_year_day and rule.by_month_day:
            yield from by_year & by_month
        elif rule.by_year_day or rule.by_month_day:
            yield from by_year | by_month
        else:
            yield from ((day, day) for day in range(length))

    def _weekdays(self, weekday: int, starts: tuple[int, ...], length: int) -> Iterator[int]:
        """What BYDAY names: counted within months where BYMONTH is given, else in the year."""
        rule = self._rule
        if not rule.by_month:
            yield from ordinal_days(rule, weekday, start=0, length=length)
            return
        for month in rule.by_month:
            start, end = starts[month - 1], starts[month]
            yield from ordinal_days(rule, (weekday + start) % 7, start=start, length=end - start)


def ordinal_days(rule: Rule, weekday: int, *, start: int, length: int) -> Iterator[int]:
    """The days that BYDAY names in a span; `weekday` is that of the span's first day."""
    for ordinal, wanted in rule.by_day:
        first = (wanted - weekday) % 7
        number = (length - first + 6) // 7
        if ordinal == 0:
            yield from range(start + first, start + length, 7)
        elif abs(ordinal) <= number:
            index = ordinal - 1 if ordinal > 0 else number + ordinal
            yield start + first + 7 * index


def _falls(rule: Rule, by_ordinal: set[int], *, offset: int, inside: int, weekday: int) -> bool:
    """Whether BYDAY lets a day stand; a day moved out of its period is judged by its weekday."""
    if not rule.by_day:
        return True
    if offset == inside:
        return offset in by_ordinal
    return any(wanted == weekday and not ordinal for ordinal, wanted in rule.by_day)


def month_of(offset: int, starts: tuple[int, ...]) -> int:
    """The month, from 1, that holds a day of the year."""
    month = min(offset // 29 + 1, 12)
    while starts[month - 1] > offset:
        month -= 1
    return month


def week_numbers(weekday: int, leaps: tuple[bool, ...], week_start: int) -> list[tuple[int, int]]:
    """For each day of a year: its week's number, and that number counted from the end (-1).

    `weekday` is that of January 1; `leaps` says of the year before, the year and the year
    after whether they are leap years. Weeks are those of RFC 5545 (ISO 8601 with another
    first day): week 1 is the first with at least four days in its year.
    """
    before, length, after = (365 + leap for leap in leaps)
    january_before = (weekday - before) % 7
    january_after = (weekday + length) % 7
    weeks = (
        _weeks(january_before, before, week_start),
        _weeks(weekday, length, week_start),
        _weeks(january_after, after, week_start),
    )
    first_week = _first_week(weekday, week_start)
    numbers = list[tuple[int, int]]()
    for day in range(length):
        week = (day - first_week) // 7 + 1
        if week < 1:
            numbers.append((weeks[0], -1))
        elif week > weeks[1]:
            numbers.append((1, -weeks[2]))
        else:
            numbers.append((week, week - weeks[1] - 1))
    return numbers


def _first_week(weekday: int, week_start: int) -> int:
    """The offset of the day that begins week 1, from -3 to 3."""
    into_week = (weekday - week_start) % 7
    return -into_week if into_week <= 3 else 7 - into_week


def _weeks(weekday: int, length: int, week_start: int) -> int:
    """How many weeks a year has that begins on the weekday."""
    next_first = length + _first_week((weekday + length) % 7, week_start)
    return (next_first - _first_week(weekday, week_start)) // 7


def _in_weeks(rule: Rule, weeks: list[tuple[int, int]], day: int) -> bool:
    number, from_end = weeks[day]
    return number in rule.by_week_no or from_end in rule.by_week_no
