"""What a clock change does to one slot, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.resolve import Slot
from ordinaut_mcp.domain.zone import offsets_of, to_local

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def note_on(slot: Slot, tz: ZoneInfo) -> str | None:
    """A note where the local time is skipped or repeated; None on ordinary days."""
    first, second = offsets_of(slot.local, tz)
    if first == second:
        return None
    named = clock(slot.local)
    if first < second:
        shown = to_local(slot.at, tz)
        day = "" if shown.date() == slot.local.date() else f" on {day_of(shown)}"
        return f"{named} does not exist on this day; runs at {clock(shown)}{day}"
    which = "first" if slot.at.replace(tzinfo=None) == slot.local - first else "second"
    return f"{named} happens twice; the {which}"


def clock(local: datetime) -> str:
    """`08:30`, with seconds only where there are any."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def day_of(local: datetime) -> str:
    """`Thu 24 Dec 2026`, whatever the machine's language."""
    weekday, month = WEEKDAYS[local.weekday()], MONTHS[local.month - 1]
    return f"{weekday} {local.day} {month} {local.year}"
