"""A rule whose missing parts are filled in from its anchor, as RFC 5545 section 3.3.10 says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Final

from ordinaut_mcp.domain.recurrence.rule import Freq, Rule

UNIT_SECONDS: Final = {Freq.HOURLY: 3_600, Freq.MINUTELY: 60, Freq.SECONDLY: 1}


def filled(rule: Rule, anchor: datetime) -> Rule:
    """The rule with the hour, minute, second and day that its anchor gives.

    Where sources differ, BYWEEKNO alone takes the anchor's weekday, and BYMONTHDAY alone in a
    YEARLY rule names that day of every month.
    """
    time = {
        name: (value,)
        for name, freq, value in (
            ("by_hour", Freq.HOURLY, anchor.hour),
            ("by_minute", Freq.MINUTELY, anchor.minute),
            ("by_second", Freq.SECONDLY, anchor.second),
        )
        if rule.freq < freq and not getattr(rule, name)
    }
    return replace(rule, **time, **_days(rule, anchor))


def _days(rule: Rule, anchor: datetime) -> dict[str, tuple[object, ...]]:
    if rule.by_day or rule.by_month_day or rule.by_year_day:
        return {}
    if rule.freq == Freq.WEEKLY or rule.by_week_no:
        return {"by_day": ((0, anchor.weekday()),)}
    if rule.freq == Freq.MONTHLY:
        return {"by_month_day": (anchor.day,)}
    if rule.freq == Freq.YEARLY:
        months = rule.by_month or (anchor.month,)
        return {"by_month": months, "by_month_day": (anchor.day,)}
    return {}


def times_of_period(rule: Rule) -> tuple[int, ...]:
    """The seconds into a period at which a filled rule strikes, ascending.

    The period is a day, or for the shorter frequencies the hour, minute or second itself.
    """
    hours = rule.by_hour if rule.freq < Freq.HOURLY else (0,)
    minutes = rule.by_minute if rule.freq < Freq.MINUTELY else (0,)
    seconds = rule.by_second if rule.freq < Freq.SECONDLY else (0,)
    return tuple(
        hour * 3_600 + minute * 60 + second
        for hour, minute, second in product(hours, minutes, seconds)
    )


def chosen(rule: Rule, count: int) -> tuple[int, ...]:
    """The indices that BYSETPOS chooses among `count` candidates, ascending."""
    if not rule.by_set_pos:
        return tuple(range(count))
    places = (place - 1 if place > 0 else count + place for place in rule.by_set_pos)
    return tuple(sorted({place for place in places if 0 <= place < count}))
