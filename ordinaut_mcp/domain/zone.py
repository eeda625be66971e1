"""Time zones from the pinned `tzdata` wheel, whatever the machine has installed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from tzdata import IANA_VERSION

from ordinaut_mcp.errors import InvalidInput

TZDATA_VERSION: Final[str] = IANA_VERSION
"""The IANA release in use, such as `2026f`; stored beside every computed instant."""

Gap = Literal["shift", "omit"]
"""What becomes of a local time that a clock change skips."""

SECOND: Final = timedelta(seconds=1)
ABBREVIATIONS: Final = {
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "MDT": "America/Denver",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "EEST": "Europe/Bucharest",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "AEST": "Australia/Sydney",
}


@cache
def zone_names() -> frozenset[str]:
    """Every key that a task may carry: the wheel's own list, less what is no place."""
    from importlib.resources import files

    names = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory", "localtime"}


@cache
def _load(key: str) -> ZoneInfo:
    from importlib.resources import files

    with files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=key)


def zone(key: object) -> ZoneInfo:
    """The zone of exactly this name (case counts), always the same object.

    Raises:
        InvalidInput: `unknown_timezone`; `allowed` holds names that look alike.
    """
    if not isinstance(key, str) or key not in zone_names():
        raise _unknown(str(key))
    return _load(key)


def offset_at(at: datetime, tz: ZoneInfo) -> timedelta:
    """The offset from UTC that is in force at an instant (an aware UTC datetime)."""
    return at.astimezone(tz).utcoffset() or timedelta(0)


def offsets_of(local: datetime, tz: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offsets that a naive local time could have, by PEP 495 for fold 0 and fold 1.

    They are equal on ordinary days. In a gap the first is the smaller one, in a fold the
    larger one.
    """
    aware = local.replace(tzinfo=tz, fold=0)
    first, second = aware.utcoffset(), aware.replace(fold=1).utcoffset()
    return first or timedelta(0), second or timedelta(0)


def to_local(at: datetime, tz: ZoneInfo) -> datetime:
    """The naive local time that clocks show at an instant."""
    return at.astimezone(tz).replace(tzinfo=None, fold=0)


def to_instant(local: datetime, tz: ZoneInfo, gap: Gap = "shift") -> datetime | None:
    """The instant of a naive local time, by RFC 5545 section 3.3.5.

    A time that happens twice is the first of the two. A time in a gap is read with the
    offset before the gap, so that 02:30 becomes 03:30; with `omit` it is None.
    """
    if gap == "omit":
        first, second = offsets_of(local, tz)
        if first < second:
            return None
    return shifted_instant(local, tz)


def shifted_instant(local: datetime, tz: ZoneInfo) -> datetime:
    """`to_instant` under the policy `shift`, which always has an answer."""
    return local.replace(tzinfo=tz, fold=0).astimezone(UTC)


def change_between(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The first instant, to the second, with another offset than the one at `before`.

    There must be exactly one change in (before, after].
    """
    old = offset_at(before, tz)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if offset_at(middle, tz) == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _unknown(key: str) -> InvalidInput:
    near = _near(key)
    shown = ascii(key if len(key) <= 64 else key[:61] + "...")
    hint = "Use an IANA name such as Europe/Chisinau or UTC; upper and lower case count."
    if near:
        hint = f"Did you mean {near[0]}? " + hint
    elif key[:1] in {"+", "-"}:
        hint = "An offset is no zone, as it knows no clock changes. " + hint
    return InvalidInput(
        f"There is no time zone {shown} in tzdata {TZDATA_VERSION}.",
        code="unknown_timezone",
        field="timezone",
        hint=hint,
        allowed=near or ["Europe/Chisinau", "America/New_York", "UTC"],
    )


def _near(key: str) -> list[str]:
    """Up to three names that a person may have meant, the likeliest first."""
    asked = key[:64].strip().replace("\\", "/").replace(" ", "_")
    if asked.upper() in ABBREVIATIONS:
        return [ABBREVIATIONS[asked.upper()]]
    asked = asked.removeprefix("right/").removeprefix("posix/").lower()
    by_lower = {name.lower(): name for name in sorted(zone_names())}
    if asked in by_lower:
        return [by_lower[asked]]
    cities = [name for lower, name in by_lower.items() if lower.rpartition("/")[2] == asked]
    if cities:
        return cities[:3]
    from difflib import get_close_matches

    return [by_lower[lower] for lower in get_close_matches(asked, by_lower, n=3, cutoff=0.75)]
