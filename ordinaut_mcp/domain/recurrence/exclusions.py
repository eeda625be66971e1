"""Dates and times on which a schedule names a slot that does not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.moment import parse_moment
from ordinaut_mcp.domain.recurrence.resolve import Slot
from ordinaut_mcp.domain.zone import shifted_instant
from ordinaut_mcp.errors import InvalidInput, NotAvailable

MOST: Final = 1_000
LONGEST_DAY: Final = timedelta(hours=50)
"""A local date with a clock change of a whole day in it, and slots that a gap shifts out of it."""


class Exclusions:
    """The local dates, local times and instants that a caller excluded.

    Raises:
        InvalidInput: `invalid_schedule` or `too_complex`, with the field `exclude[n]`.
    """

    def __init__(self, texts: Sequence[str], tz: ZoneInfo) -> None:
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
        self._days = {moment.local.date() for moment in moments if moment.is_date}
        self._instants = {moment.instant(tz) for moment in moments if not moment.is_date}

    def reason(self, slot: Slot) -> str | None:
        """Why the slot does not run; None when it does."""
        if slot.local.date() in self._days:
            return f"{slot.local:%Y-%m-%d} is excluded"
        if slot.at in self._instants:
            return f"{slot.local:%Y-%m-%d %H:%M} is excluded"
        return None

    def begins_after(self, after: datetime) -> Iterator[tuple[datetime, date | None]]:
        """Where excluded dates and times begin that are not over at an instant, in order."""
        begins: list[tuple[datetime, date | None]] = [(at, None) for at in self._instants]
        begins += [(shifted_instant(_midnight(day), self._tz), day) for day in self._days]
        for begin, day in sorted(begins, key=lambda one: one[0]):
            if begin > after or (day is not None and begin + LONGEST_DAY > after):
                yield begin, day

    def skip_from(self, slot: Slot) -> datetime:
        """The instant after which to look on from an excluded slot.

        Whole days are jumped over, so that a dense schedule costs no step for each slot.
        """
        day = slot.local.date()
        if day not in self._days:
            return slot.at
        while day in self._days:
            day += timedelta(days=1)
        return max(slot.at, shifted_instant(_midnight(day), self._tz) - timedelta(seconds=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def refuse_calendar(name: str | None) -> None:
    """Named holiday calendars have their place here, but are not there yet.

    Raises:
        NotAvailable: a calendar was named.
    """
    if name is not None:
        raise NotAvailable(
            "Named holiday calendars are not available yet.",
            field="exclude_calendar",
            hint="Give the dates themselves in exclude, such as 2026-12-25.",
        )
