"""Dates and times on which a schedule names a slot that does not run."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.calendars import HolidayCalendar
from ordinaut_mcp.domain.recurrence.moment import parse_moment
from ordinaut_mcp.domain.recurrence.resolve import Slot
from ordinaut_mcp.domain.zone import shifted_instant
from ordinaut_mcp.errors import InvalidInput

MOST: Final = 1_000
LONGEST_DAY: Final = timedelta(hours=50)
"""A local date with a clock change of a whole day in it, and slots that a gap shifts out of it."""


class Exclusions:
    """The local dates, local times and instants that a caller excluded, and a calendar's holidays.

    Raises:
        InvalidInput: `invalid_schedule` or `too_complex`, with the field `exclude[n]`.
    """

    def __init__(
        self, texts: Sequence[str], tz: ZoneInfo, calendar: HolidayCalendar | None = None
    ) -> None:
        if len(texts) > MOST:
            raise InvalidInput(
                f"At most {MOST} dates and times can be excluded, not {len(texts)}.",
                code="too_complex",
                field="exclude",
                hint="Exclude whole dates, or write the rule so that it does not name them.",
            )
        moments = [
            parse_moment(text, field=f"exclude[{index}]") for index, text in enumerate(texts)
        ]
        self._tz = tz
        self._calendar = calendar
        self._days = {moment.local.date() for moment in moments if moment.is_date}
        self._instants = {moment.instant(tz) for moment in moments if not moment.is_date}

    def reason(self, slot: Slot) -> str | None:
        """Why the slot does not run; None when it does."""
        if slot.local.date() in self._days:
            return f"{slot.local:%Y-%m-%d} is excluded"
        if holiday := self._calendar and self._calendar.holiday(slot.local.date()):
            return f"{slot.local:%Y-%m-%d} is a holiday: {holiday}"
        if slot.at in self._instants:
            return f"{slot.local:%Y-%m-%d %H:%M} is excluded"
        return None

    def begins_after(self, after: datetime) -> Iterator[tuple[datetime, date | None]]:
        """Where excluded dates and times begin that are not over at an instant, in order."""
        begins: list[tuple[datetime, date | None]] = [(at, None) for at in self._instants]
        begins += [(self._begin(day), day) for day in self._days]
        holidays = self._calendar.days_from(after.date() - LONGEST_DAY) if self._calendar else ()
        # A calendar has no end: its days come one by one, and only as far as somebody asks.
        also = ((self._begin(day), day) for day in holidays)
        for begin, day in heapq.merge(sorted(begins, key=_begins), also, key=_begins):
            if begin > after or (day is not None and begin + LONGEST_DAY > after):
                yield begin, day

    def skip_from(self, slot: Slot) -> datetime:
        """The instant after which to look on from an excluded slot.

        Whole days are jumped over, so that a dense schedule costs no step for each slot.
        """
        day = slot.local.date()
        if not self._is_out(day):
            return slot.at
        while self._is_out(day):
            day += timedelta(days=1)
        return max(slot.at, self._begin(day) - timedelta(seconds=1))

    def _is_out(self, day: date) -> bool:
        if day in self._days:
            return True
        return self._calendar is not None and self._calendar.holiday(day) is not None

    def _begin(self, day: date) -> datetime:
        return shifted_instant(_midnight(day), self._tz)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _begins(one: tuple[datetime, date | None]) -> datetime:
    return one[0]
