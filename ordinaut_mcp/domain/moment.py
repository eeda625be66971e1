"""Instants inside expressions: `now+24h` and `date('%Y-%m-%d')`, in the task's zone.

s, m and h are elapsed time; d and w are days of the calendar there, so that `+1d` keeps the
time of day over a change of the clocks. A time of day that does not exist moves forward by
the gap.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_ELAPSED: Final = {"s": 1, "m": 60, "h": 3600}
_DAYS: Final = {"d": 1, "w": 7}
_SPAN: Final = re.compile(r"([+-])\s*([0-9]{1,9})([smhdw])")

_WITH_OFFSET: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_PORTABLE: Final = frozenset("aAbBdfGHIjmMpSuUVwWyYzZ%")
"""What strftime does alike everywhere."""


class NotAnInstant(ValueError):
    """The value is no instant, or the arithmetic leaves the calendar; the text says which."""


def in_words(moment: datetime, zone: tzinfo) -> str:
    """ISO-8601 with the zone's offset, in whole seconds."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def read(value: object, zone: tzinfo) -> datetime:
    """The instant that an ISO-8601 text names; without an offset it is local to `zone`.

    Raises:
        NotAnInstant: it is no text, or no ISO-8601 date or time.
    """
    if not isinstance(value, str):
        raise NotAnInstant("is not a date or time")
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise NotAnInstant("is not an ISO-8601 date or time") from error


def instant_or_none(text: str) -> datetime | None:
    """The instant of a text that is a whole ISO-8601 date, time and offset, else None."""
    if not _WITH_OFFSET.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def shift(moment: datetime, span: str, zone: tzinfo) -> datetime:
    """`moment` moved by a span such as `+24h` or `-7d`.

    Raises:
        NotAnInstant: the result lies outside the years 1 to 9999.
    """
    found = _SPAN.fullmatch(span)
    if found is None:
        raise NotAnInstant(f"cannot be moved by '{span}'")
    sign, digits, unit = found.groups()
    amount = int(sign + digits)
    try:
        if unit in _ELAPSED:
            elapsed = timedelta(seconds=amount * _ELAPSED[unit])
            return (moment.astimezone(UTC) + elapsed).astimezone(zone)
        return _by_calendar(moment.astimezone(zone), timedelta(days=amount * _DAYS[unit]))
    except OverflowError as error:
        raise NotAnInstant(f"cannot be moved by {span}: there is no such year") from error


def _by_calendar(local: datetime, days: timedelta) -> datetime:
    """Same time of day; the way over UTC moves a time that the clocks leave out."""
    moved = (local + days).replace(fold=local.fold)
    return moved.astimezone(UTC).astimezone(local.tzinfo)


def format_problem(pattern: str) -> str | None:
    """What is wrong with a `date()` format; None when nothing is."""
    if len(pattern) > 100:
        return "is longer than 100 characters"
    for directive in re.findall(r"%(.?)", pattern, re.DOTALL):
        if directive not in _PORTABLE:
            return f"has '%{directive}', which is not one of %{' %'.join(sorted(_PORTABLE))}"
    return None
