"""RRULE expanded by brute force: every day is looked at, every part asked of it by itself.

It shares nothing with the product but the parsed `Rule`, and is right because it is slow: the
definitions of RFC 5545 are written down one by one, and nothing is jumped over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from ordinaut_mcp.domain.recurrence.rule import Freq, Rule

DAY = timedelta(days=1)
EPOCH = datetime.fromisoformat("0001-01-01T00:00")


def slow_between(rule: Rule, anchor: datetime, *, start: datetime, end: datetime) -> list[datetime]:
    """All local times that the rule names in [start, end), ascending."""
    margin = {Freq.YEARLY: 368, Freq.MONTHLY: 70, Freq.WEEKLY: 15}.get(rule.freq, 0)
    low = max((start - timedelta(days=margin)).date(), (anchor - timedelta(days=margin)).date())
    high = (end + timedelta(days=margin)).date()
    periods = defaultdict[int, set[datetime]](set)
    for period, day in _days(rule, anchor, low=low, high=high):
        for moment in _times(rule, anchor, day):
            number = period if rule.freq <= Freq.DAILY else _unit(rule, moment)
            periods[number].add(moment)
    origin = _period(rule, anchor.date()) if rule.freq <= Freq.DAILY else _unit(rule, anchor)
    kept = {
        moment
        for number, moments in periods.items()
        if (number - origin) % rule.interval == 0 and number >= origin
        for moment in _chosen(rule, sorted(moments))
    }
    return sorted(moment for moment in kept if anchor <= moment and start <= moment < end)


def _chosen(rule: Rule, moments: list[datetime]) -> list[datetime]:
    if not rule.by_set_pos:
        return moments
    return [
        moment
        for index, moment in enumerate(moments)
        if index + 1 in rule.by_set_pos or index - len(moments) in rule.by_set_pos
    ]


def _period(rule: Rule, day: date) -> int:
    match rule.freq:
        case Freq.YEARLY:
            return day.year
        case Freq.MONTHLY:
            return day.year * 12 + day.month
        case Freq.WEEKLY:
            return _week_start(rule, day).toordinal() // 7
        case _:
            return day.toordinal()


def _unit(rule: Rule, moment: datetime) -> int:
    seconds = int((moment - EPOCH).total_seconds())
    return seconds // {Freq.HOURLY: 3_600, Freq.MINUTELY: 60, Freq.SECONDLY: 1}[rule.freq]


def _days(rule: Rule, anchor: datetime, *, low: date, high: date) -> Iterator[tuple[int, date]]:
    """The days that the rule's day parts allow, each with the number of its period."""
    day = low
    while day <= high:
        if rule.skip == "OMIT" and _allowed(rule, anchor, day):
            yield _period(rule, day), day
        if rule.skip != "OMIT" and day.day == 1:
            yield from _moved_days(rule, anchor, day)
        day += DAY


def _allowed(rule: Rule, anchor: datetime, day: date) -> bool:
    return (
        (not rule.by_month or day.month in rule.by_month)
        and (not rule.by_week_no or _in_weeks(rule, day))
        and (not rule.by_year_day or _from_both_ends(rule.by_year_day, *_in_year(day)))
        and (not rule.by_month_day or _from_both_ends(rule.by_month_day, *_in_month(day)))
        and (not rule.by_day or any(_is_weekday(rule, day, wanted) for wanted in rule.by_day))
        and _inherited(rule, anchor, day)
    )


def _inherited(rule: Rule, anchor: datetime, day: date) -> bool:
    """What the anchor says of the day where no part does."""
    if rule.by_day or rule.by_month_day or rule.by_year_day or rule.freq >= Freq.DAILY:
        return True
    if rule.freq == Freq.WEEKLY or rule.by_week_no:
        return day.weekday() == anchor.weekday()
    if rule.freq == Freq.MONTHLY or rule.by_month:
        return day.day == anchor.day
    return (day.month, day.day) == (anchor.month, anchor.day)


def _from_both_ends(numbers: tuple[int, ...], number: int, length: int) -> bool:
    return number in numbers or number - length - 1 in numbers


def _in_year(day: date) -> tuple[int, int]:
    return day.timetuple().tm_yday, date(day.year, 12, 31).timetuple().tm_yday


def _in_month(day: date) -> tuple[int, int]:
    return day.day, _last_of_month(day.year, day.month)


def _last_of_month(year: int, month: int) -> int:
    return (date(year + month // 12, month % 12 + 1, 1) - DAY).day


def _week_start(rule: Rule, day: date) -> date:
    while day.weekday() != rule.week_start:
        day -= DAY
    return day


def _in_weeks(rule: Rule, day: date) -> bool:
    number, year = _week(rule, day)
    last = max(_week(rule, date(year, 12, at))[0] for at in (22, 28))
    return _from_both_ends(rule.by_week_no, number, last)


def _week(rule: Rule, day: date) -> tuple[int, int]:
    """The number of a day's week and the year that the week belongs to: its fourth day's."""
    fourth = _week_start(rule, day) + 3 * DAY
    return (fourth.timetuple().tm_yday - 1) // 7 + 1, fourth.year


def _is_weekday(rule: Rule, day: date, wanted: tuple[int, int]) -> bool:
    ordinal, weekday = wanted
    if day.weekday() != weekday:
        return False
    if ordinal == 0:
        return True
    by_month = rule.freq == Freq.MONTHLY or bool(rule.by_month)
    number, length = _in_month(day) if by_month else _in_year(day)
    return ordinal in {(number - 1) // 7 + 1, -((length - number) // 7) - 1}


def _moved_days(rule: Rule, anchor: datetime, first: date) -> Iterator[tuple[int, date]]:
    """With SKIP: the days of one month, those that do not exist moved to a neighbour."""
    if rule.by_month and first.month not in rule.by_month:
        return
    length = _last_of_month(first.year, first.month)
    if not (rule.by_month_day or rule.by_year_day) and (rule.by_day or rule.by_week_no):
        whole = (first + index * DAY for index in range(length))
        yield from ((_period(rule, day), day) for day in whole if _allowed(rule, anchor, day))
        return
    by_month_day = rule.by_month_day or (() if rule.by_year_day else (anchor.day,))
    is_other = not (rule.by_month or rule.by_month_day) and first.month != anchor.month
    if rule.freq == Freq.YEARLY and is_other:
        by_month_day = ()
    days = {_moved(rule, first, number, length=length) for number in by_month_day}
    if rule.by_year_day:
        of_year = _of_year(rule, first)
        days = days & of_year if rule.by_month_day else of_year
    for day in days:
        if _weekday_stays(rule, first, day) and (not rule.by_week_no or _in_weeks(rule, day)):
            yield _period(rule, first), day


def _of_year(rule: Rule, first: date) -> set[date]:
    """What BYYEARDAY names in one month; what lies outside the year belongs to its end."""
    january, length = first.replace(month=1), _in_year(first)[1]
    days = {_moved(rule, january, number, length=length) for number in rule.by_year_day}
    return {
        day
        for day in days
        if (day.year, day.month) == (first.year, first.month)
        or (day.year > first.year and first.month == 12)
        or (day.year < first.year and first.month == 1)
    }


def _moved(rule: Rule, first: date, number: int, *, length: int) -> date:
    if abs(number) <= length:
        return first + (number - 1 if number > 0 else length + number) * DAY
    if number > 0:
        return first + (length if rule.skip == "FORWARD" else length - 1) * DAY
    return first - (DAY if rule.skip == "BACKWARD" else timedelta(0))


def _weekday_stays(rule: Rule, first: date, day: date) -> bool:
    if not rule.by_day:
        return True
    if _period(rule, first) == _period(rule, day):
        return any(_is_weekday(rule, day, wanted) for wanted in rule.by_day)
    return (0, day.weekday()) in rule.by_day


def _times(rule: Rule, anchor: datetime, day: date) -> Iterator[datetime]:
    hours = rule.by_hour or (range(24) if rule.freq >= Freq.HOURLY else (anchor.hour,))
    minutes = rule.by_minute or (range(60) if rule.freq >= Freq.MINUTELY else (anchor.minute,))
    seconds = rule.by_second or (range(60) if rule.freq >= Freq.SECONDLY else (anchor.second,))
    for hour in hours:
        for minute in minutes:
            for second in seconds:
                yield datetime.combine(day, time(hour, minute, second))
