"""The naive local times that a cron expression matches."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.cron_text import Cron
from ordinaut_mcp.domain.recurrence.days import LAST_DAY, first_of_month, months_from, weekday_of


class CronExpander:
    """Names the minutes that match, as naive local times."""

    def __init__(self, cron: Cron) -> None:
        self._cron = cron
        self._weekdays = frozenset((day - 1) % 7 for day in cron.weekdays)
        self._shapes: dict[tuple[int, int], tuple[int, ...]] = {}

    def first(self, start: datetime, budget: Budget) -> datetime | None:
        """The first match at or after `start`; None when nothing ever matches.

        Raises:
            InvalidInput: `too_complex`, when the budget is spent.
        """
        if start.second:
            start += timedelta(seconds=60 - start.second)
        ordinal = start.toordinal()
        day = self._day(ordinal, budget)
        if day is not None and day == ordinal:
            time = self._time(start.hour, start.minute)
            if time is not None:
                return datetime.fromordinal(day) + timedelta(minutes=time)
            day = self._day(ordinal + 1, budget)
        if day is None:
            return None
        first = self._cron.hours[0] * 60 + self._cron.minutes[0]
        return datetime.fromordinal(day) + timedelta(minutes=first)

    def _time(self, hour: int, minute: int) -> int | None:
        """The first matching minute of a day at or after this one."""
        hours, minutes = self._cron.hours, self._cron.minutes
        at = bisect_left(hours, hour)
        if at < len(hours) and hours[at] == hour:
            index = bisect_left(minutes, minute)
            if index < len(minutes):
                return hour * 60 + minutes[index]
            at += 1
        return hours[at] * 60 + minutes[0] if at < len(hours) else None

    def _day(self, ordinal: int, budget: Budget) -> int | None:
        if ordinal > LAST_DAY:
            return None
        day = datetime.fromordinal(ordinal)
        month = day.year * 12 + day.month - 1
        for index in months_from(month, self._cron.months):
            budget.spend()
            first, length = first_of_month(index)
            days = self._matching(weekday_of(first), length)
            at = bisect_left(days, ordinal - first)
            if at < len(days):
                return first + days[at] if first + days[at] <= LAST_DAY else None
        return None

    def _matching(self, weekday: int, length: int) -> tuple[int, ...]:
        """The matching days of a month of this shape, as offsets from its first."""
        shape = (weekday, length)
        days = self._shapes.get(shape)
        if days is None:
            named = {day - 1 for day in self._cron.days if day <= length}
            by_week = {day for day in range(length) if (weekday + day) % 7 in self._weekdays}
            both = self._cron.needs_both_days
            days = tuple(sorted(named & by_week if both else named | by_week))
            self._shapes[shape] = days
        return days
