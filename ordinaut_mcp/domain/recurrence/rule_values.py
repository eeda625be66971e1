"""The values of a rule's parts, each read strictly from upper-case text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast

from ordinaut_mcp.domain.recurrence.moment import FIRST_YEAR, LAST_YEAR
from ordinaut_mcp.domain.recurrence.rule import WEEKDAYS, Freq, Skip
from ordinaut_mcp.domain.recurrence.rule_checks import invalid
from ordinaut_mcp.errors import InvalidInput

_NUMBERS: Final = {
    "BYMONTH": (1, 12, False),
    "BYWEEKNO": (1, 53, True),
    "BYYEARDAY": (1, 366, True),
    "BYMONTHDAY": (1, 31, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 60, False),
    "BYSETPOS": (1, 366, True),
}
_STAMP: Final = re.compile(r"(?P<date>[0-9]{8})(?P<time>T[0-9]{6}(?P<utc>Z)?)?", re.ASCII)
_WEEKDAY: Final = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)


def parse_times(name: str, value: str) -> list[datetime]:
    """The times of an RDATE line: naive local, or aware UTC with a Z."""
    stamps = [stamp.strip(" ").upper() for stamp in value.split(",")]
    for stamp in stamps:
        if "T" not in stamp:
            raise _bad_stamp(name, stamp)
    return [_stamp(name, stamp) for stamp in stamps]


def parse_days_or_times(name: str, value: str) -> list[date]:
    """The values of an EXDATE line; a bare date stands for its whole day."""
    stamps = [stamp.strip(" ").upper() for stamp in value.split(",")]
    return [_stamp(name, stamp) if "T" in stamp else _stamp(name, stamp).date() for stamp in stamps]


def _stamp(name: str, value: str) -> datetime:
    """`20261224T180000`, local, or with a Z in UTC; a bare date is its midnight."""
    match = _STAMP.fullmatch(value)
    if match is None:
        raise _bad_stamp(name, value)
    digits = match["date"] + (match["time"] or "T000000").rstrip("Z")
    try:
        stamp = datetime.strptime(digits, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - local is meant
    except ValueError:
        raise _bad_stamp(name, value) from None
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise _bad_stamp(name, value)
    return stamp.replace(tzinfo=UTC) if match["utc"] else stamp


def _bad_stamp(name: str, value: str) -> InvalidInput:
    return invalid(
        f"{name} has {value[:40]!a}, which is no date.",
        "Write 20261224T180000 (local) or 20261224T160000Z (UTC).",
    )


def _until(name: str, value: str) -> datetime:
    """UNTIL is inclusive: a bare date lasts until its day ends."""
    stamp = _stamp(name, value)
    return stamp + timedelta(hours=23, minutes=59, seconds=59) if "T" not in value else stamp


def _number(name: str, value: str) -> int:
    if not _NUMBER.fullmatch(value) or int(value) < 1:
        raise invalid(
            f"{name}={_shown(value)} is no whole number of 1 or more.",
            f"Write {name}=1 or more, in ASCII digits.",
        )
    return int(value)


def _numbers(name: str, value: str) -> tuple[int, ...]:
    low, high, signed = _NUMBERS[name]
    numbers = set[int]()
    for item in value.split(","):
        number = int(item) if _NUMBER.fullmatch(item) else None
        if number is None or not low <= (abs(number) if signed else number) <= high:
            sign = f" or -{high} to -{low}" if signed else ""
            raise invalid(
                f"{name} has {_shown(item)}, which is out of range.",
                f"{name} goes from {low} to {high}{sign}.",
            )
        numbers.add(min(number, 59) if name == "BYSECOND" else number)
    return tuple(sorted(numbers))


def _weekdays(name: str, value: str) -> tuple[tuple[int, int], ...]:
    days = set[tuple[int, int]]()
    for item in value.split(","):
        match = _WEEKDAY.fullmatch(item)
        ordinal = int(match[1] or 0) if match else 0
        if match is None or abs(ordinal) > 53 or (match[1] and not ordinal):
            raise invalid(
                f"{name} has {_shown(item)}, which is no weekday.",
                "Write MO, TU, WE, TH, FR, SA or SU; with a number for the nth, such as -1FR.",
            )
        days.add((ordinal, WEEKDAYS.index(match[2])))
    return tuple(sorted(days))


def _week_start(name: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise invalid(f"{name}={_shown(value)} is no weekday.", "Write WKST=MO or WKST=SU.")
    return WEEKDAYS.index(value)


def _freq(name: str, value: str) -> Freq:
    if value not in Freq.__members__:
        raise InvalidInput(
            f"{name}={_shown(value)} is no frequency.",
            code="invalid_schedule",
            field="schedule_expr",
            hint="Write one of the allowed frequencies, such as FREQ=DAILY.",
            allowed=list(Freq.__members__),
        )
    return Freq[value]


def _skip(name: str, value: str) -> Skip:
    if value not in {"OMIT", "BACKWARD", "FORWARD"}:
        raise invalid(f"{name}={_shown(value)} is unknown.", "Write OMIT, BACKWARD or FORWARD.")
    return cast("Skip", value)


def _shown(value: str) -> str:
    return ascii(value if len(value) <= 40 else value[:37] + "...")


READERS: Final[dict[str, tuple[str, Callable[[str, str], Any]]]] = {
    "FREQ": ("freq", _freq),
    "INTERVAL": ("interval", _number),
    "COUNT": ("count", _number),
    "UNTIL": ("until", _until),
    "BYMONTH": ("by_month", _numbers),
    "BYWEEKNO": ("by_week_no", _numbers),
    "BYYEARDAY": ("by_year_day", _numbers),
    "BYMONTHDAY": ("by_month_day", _numbers),
    "BYDAY": ("by_day", _weekdays),
    "BYHOUR": ("by_hour", _numbers),
    "BYMINUTE": ("by_minute", _numbers),
    "BYSECOND": ("by_second", _numbers),
    "BYSETPOS": ("by_set_pos", _numbers),
    "WKST": ("week_start", _week_start),
    "SKIP": ("skip", _skip),
}
"""For each part its name in `Rule`, and what reads its value (RSCALE is checked apart)."""
