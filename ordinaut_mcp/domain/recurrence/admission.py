"""Whether a schedule may be stored: it fires, soon enough, seldom enough, within bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from ordinaut_mcp.domain.duration import in_words
from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.expand import Expander
from ordinaut_mcp.domain.recurrence.expand_often import DAY
from ordinaut_mcp.domain.recurrence.filled import UNIT_SECONDS
from ordinaut_mcp.domain.recurrence.notes import clock, day_of
from ordinaut_mcp.domain.recurrence.request import Kind, ScheduleLimits
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.domain.recurrence.rule_checks import can_align
from ordinaut_mcp.domain.recurrence.series import (
    CronSeries,
    IntervalSeries,
    RuleSeries,
    SingleSeries,
)
from ordinaut_mcp.domain.recurrence.timetable import Schedule
from ordinaut_mcp.domain.zone import offsets_of, shifted_instant, to_local
from ordinaut_mcp.errors import InvalidInput

SAMPLE: Final = 64
SAMPLE_STEPS: Final = 5_000
SECOND: Final = timedelta(seconds=1)


def admit(schedule: Schedule, now: datetime, limits: ScheduleLimits) -> Schedule:
    """The schedule with COUNT closed, if it may be stored.

    Raises:
        InvalidInput: `interval_too_short`, `too_complex`, `never_fires`, `in_the_past`, `too_far`.
    """
    refuse_impossible(schedule)
    refuse_too_often(schedule, now, limits.min_interval)
    closed = close_count(schedule, limits.most_count, since=now)
    refuse_never(closed, now)
    refuse_too_far(closed, now, limits.horizon)
    return closed


def refuse_impossible(schedule: Schedule) -> None:
    """Refuse what names no time at all, whenever it is looked at.

    Raises:
        InvalidInput: `never_fires`, or `too_complex` when the search spends its budget.
    """
    series = schedule.series
    if isinstance(series, SingleSeries):
        if series.slot is None:
            raise _never("its time does not exist on that day, and gap is omit", "Use gap=shift.")
        return
    if isinstance(series, CronSeries):
        names, start = series.names, datetime(2000, 1, 1)  # noqa: DTZ001 - a naive local time
    elif isinstance(series, RuleSeries) and not series.has_extra:
        names, start = series.names, series.anchor
        if not _aligns(series.rule, start):
            raise _never(
                "INTERVAL never lands on its weekdays, hours, minutes or seconds",
                "Use a smaller INTERVAL, or a start_at that is one of these.",
            )
    else:
        return
    if names.first(start, Budget()) is None:
        raise _never("no date fits it", "Check the days against the months, such as 30 February.")


def _aligns(rule: Rule, anchor: datetime) -> bool:
    """Whether INTERVAL ever lands on what filters the rule."""
    if rule.freq == Freq.DAILY and rule.by_day and rule.interval % 7 == 0:
        return (0, anchor.weekday()) in rule.by_day
    if rule.freq < Freq.HOURLY or not (rule.by_hour or rule.by_minute or rule.by_second):
        return True
    unit = UNIT_SECONDS[rule.freq]
    second = anchor.hour * 3_600 + anchor.minute * 60 + anchor.second
    return can_align(rule, second // unit, DAY // unit)


def refuse_too_often(schedule: Schedule, now: datetime, shortest: timedelta) -> None:
    """Refuse a schedule whose occurrences lie closer together than the caller may ask.

    Rules are judged by their first occurrences in local time: a clock change does not count.

    Raises:
        InvalidInput: `interval_too_short`.
    """
    series = schedule.series
    closest: timedelta | None = None
    if isinstance(series, IntervalSeries):
        closest = series.every
    elif isinstance(series, CronSeries):
        closest = _closest(series.names, to_local(now, schedule.tz))
    elif isinstance(series, RuleSeries):
        start = max(series.anchor, to_local(now, schedule.tz).replace(microsecond=0))
        closest = min(
            filter(None, (_closest(series.names, start), series.closest_extra())), default=None
        )
    if closest is not None and closest < shortest:
        raise InvalidInput(
            f"It would run every {in_words(closest)}; the shortest interval is "
            f"{in_words(shortest)}.",
            code="interval_too_short",
            field="schedule_expr",
            hint=f"Ask for {in_words(shortest)} or more.",
        )


def _closest(names: Expander, start: datetime) -> timedelta | None:
    """The shortest distance among the first occurrences."""
    budget, times = Budget(SAMPLE_STEPS), list[datetime]()
    try:
        while len(times) < SAMPLE and (time := names.first(start, budget)) is not None:
            times.append(time)
            start = time + SECOND
    except InvalidInput:
        pass  # so rare that a budget is spent: what was seen of it decides
    return min((later - earlier for earlier, later in pairwise(times)), default=None)


def close_count(schedule: Schedule, most: int, *, since: datetime) -> Schedule:
    """The schedule with COUNT closed to the local time of its last occurrence.

    Without `start_at` only occurrences after `since`, the creation, count; with `gap=omit`
    local times that do not exist do not count.

    Raises:
        InvalidInput: `too_complex`: a COUNT of more than `most`.
    """
    series = schedule.series
    count = series.rule.count if isinstance(series, RuleSeries) else None
    if not isinstance(series, RuleSeries) or count is None:
        return schedule
    if count > most:
        raise InvalidInput(
            f"COUNT is at most {most}, not {count}.",
            code="too_complex",
            field="schedule_expr",
            hint="Use UNTIL, end_at or max_runs, or leave the end open.",
        )
    left, last = count, None
    start, budget = series.anchor, Budget(4 * most + 20_000)
    while left and (time := series.names.first(start, budget)) is not None:
        start = time + SECOND
        if _counts(schedule, time, since):
            left, last = left - 1, time
    return replace(schedule, last=last)


def _counts(schedule: Schedule, time: datetime, since: datetime) -> bool:
    if schedule.gap == "omit":
        first, second = offsets_of(time, schedule.tz)
        if first < second:
            return False
    return schedule.start_text is not None or shifted_instant(time, schedule.tz) > since


def refuse_never(schedule: Schedule, now: datetime) -> None:
    """Refuse a schedule that has no occurrence after `now`, and say why.

    Raises:
        InvalidInput: `in_the_past` for a single time, else `never_fires`.
    """
    if schedule.next_after(now) is not None:
        return
    open_ended = schedule.without_end()
    if open_ended.next_after(now) is not None:
        ends = replace(schedule, exclude=()).next_after(now) is None
        raise _never(
            "end_at lies before its first occurrence" if ends else "every occurrence is excluded",
            "Move it, or leave it out.",
            field="end_at" if ends else "exclude",
        )
    if schedule.kind is Kind.ONCE:
        raise _past(schedule, now)
    last = schedule.last
    why = f"its last occurrence was {day_of(last)} at {clock(last)}" if last else "it has ended"
    raise _never(why, "Set UNTIL, COUNT or start_at so that occurrences are still to come.")


def _past(schedule: Schedule, now: datetime) -> InvalidInput:
    local = to_local(now, schedule.tz)
    clock_now = f"{day_of(local)}, {clock(local.replace(second=0))}"
    return InvalidInput(
        f"{schedule.expr} is in the past: it is now {clock_now} in {schedule.timezone}.",
        code="in_the_past",
        field="schedule_expr",
        hint="Give a later time, or a span such as in 20 minutes; run_now runs a task at once.",
    )


def refuse_too_far(schedule: Schedule, now: datetime, horizon: timedelta) -> None:
    """Refuse a schedule whose first occurrence lies beyond the horizon.

    Raises:
        InvalidInput: `too_far`.
    """
    first = schedule.next_after(now)
    if first is None or first.at - now <= horizon:
        return
    start = schedule.start_at
    late_start = start is not None and shifted_instant(start, schedule.tz) - now > horizon
    raise InvalidInput(
        f"The first occurrence would be on {day_of(first.local)}, "
        f"more than {horizon.days // 365} years from now.",
        code="too_far",
        field="start_at" if late_start else "schedule_expr",
        hint="Ask for something that begins sooner.",
    )


def _never(why: str, hint: str, *, field: str = "schedule_expr") -> InvalidInput:
    return InvalidInput(f"It never fires: {why}.", code="never_fires", field=field, hint=hint)
