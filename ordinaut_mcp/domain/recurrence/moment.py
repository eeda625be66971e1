"""Dates and times as callers write them, read strictly: ISO 8601 and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.zone import shifted_instant, to_local
from ordinaut_mcp.errors import InvalidInput

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9990
_SHAPE: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?)?"
    r" ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A date, a local time, or an instant: what a caller wrote, in whole seconds."""

    local: datetime
    """The naive local time as written; midnight for a date."""
    offset: timedelta | None = None
    """The offset from UTC that was written; with one the moment is an instant."""
    is_date: bool = False

    def instant(self, tz: ZoneInfo) -> datetime:
        """The aware UTC instant; a local time in a gap is shifted."""
        if self.offset is None:
            return shifted_instant(self.local, tz)
        return (self.local - self.offset).replace(tzinfo=UTC)

    def local_in(self, tz: ZoneInfo) -> datetime:
        """The naive local time in a zone."""
        return self.local if self.offset is None else to_local(self.instant(tz), tz)

    def end_in(self, tz: ZoneInfo) -> datetime:
        """The last instant that the moment covers: a date lasts until its day ends."""
        if not self.is_date:
            return self.instant(tz)
        return shifted_instant(self.local + timedelta(days=1), tz) - timedelta(microseconds=1)


def parse_moment(text: str, *, field: str, needs_time: bool = False) -> Moment:
    """Read `2026-12-24T18:00`, the same with an offset or `Z`, or `2026-12-24`.

    Raises:
        InvalidInput: `invalid_schedule`, naming the field.
    """
    match = _SHAPE.fullmatch(text.strip(" "))
    if match is None:
        raise _unreadable(text, field, "is not written as a date and time")
    try:
        day = date.fromisoformat(match["date"])
        clock = _clock(match)
    except ValueError as error:
        raise _unreadable(text, field, f"does not exist: {error}") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _unreadable(text, field, f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
    if clock is None and needs_time:
        raise _unreadable(text, field, "has no time of day")
    return Moment(
        local=datetime.combine(day, clock or time()),
        offset=_offset(match["offset"], text, field),
        is_date=clock is None,
    )


def _clock(match: re.Match[str]) -> time | None:
    if match["hour"] is None:
        return None
    return time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))


def _offset(written: str | None, text: str, field: str) -> timedelta | None:
    if written is None:
        return None
    if written in {"Z", "z"}:
        return timedelta(0)
    offset = timedelta(hours=int(written[1:3]), minutes=int(written[-2:]))
    if offset > timedelta(hours=14) or int(written[-2:]) > 59:
        raise _unreadable(text, field, "has an offset that no place on earth keeps")
    return -offset if written[0] == "-" else offset


def _unreadable(text: str, field: str, why: str) -> InvalidInput:
    shown = ascii(text if len(text) <= 40 else text[:37] + "...")
    return InvalidInput(
        f"{shown} {why}.",
        code="invalid_schedule",
        field=field,
        hint="Write 2026-12-24T18:00 (the task's zone) or 2026-12-24T18:00:00+02:00.",
    )
