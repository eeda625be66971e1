"""A recurrence rule of RFC 5545 as values: what the text says, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Literal

Skip = Literal["OMIT", "BACKWARD", "FORWARD"]
"""RFC 7529: what becomes of a day that a month or year does not have."""

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Freq(IntEnum):
    """The period of a rule, from long to short."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One RRULE. Lists are sorted and hold no value twice; empty means that the part is absent.

    `until` is aware (UTC) or naive (local), and inclusive. Weekdays count from Monday = 0;
    the ordinal of a `by_day` entry is 0 where the text names none.
    """

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    by_month: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0
    skip: Skip = "OMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A rule with its RDATE and EXDATE lines; each time is naive local or an aware instant.

    A bare date among the removed ones stands for its whole day.
    """

    rule: Rule
    extra: tuple[datetime, ...] = ()
    removed: tuple[date, ...] = ()
