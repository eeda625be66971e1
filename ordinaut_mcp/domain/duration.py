"""Spans of time as people and ISO 8601 write them, read strictly."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from ordinaut_mcp.errors import InvalidInput

LONGEST: Final = timedelta(days=36_525)
"""A hundred years; what is longer is a slip of the keyboard."""

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPELLED: Final = (
    ("w", r"weeks?|w"),
    ("d", r"days?|d"),
    ("h", r"hours?|hrs?|h"),
    ("m", r"minutes?|mins?|m"),
    ("s", r"seconds?|secs?|s"),
)
_ISO: Final = re.compile(
    r"P(?=[0-9T])(?:(?P<w>[0-9]{1,9})W)?(?:(?P<d>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<h>[0-9]{1,9})H)?(?:(?P<m>[0-9]{1,9})M)?(?:(?P<s>[0-9]{1,9})S)?)?",
    re.IGNORECASE | re.ASCII,
)
_WORDS: Final = re.compile(
    "".join(
        rf"(?:(?P<{unit}>[0-9]{{1,9}}) ?(?:{spelled})(?![a-z])(?: and |, ?| )?)?"
        for unit, spelled in _SPELLED
    ),
    re.IGNORECASE | re.ASCII,
)
_ONE: Final = re.compile("|".join(rf"(?P<{unit}>{word})" for unit, word in _SPELLED), re.IGNORECASE)
_HOW: Final = "Write it as 20m, 1h30m, 2d, 45 minutes or PT20M: whole numbers, each with its unit."


def parse_duration(text: str, *, field: str = "schedule_expr") -> timedelta:
    """Read `20m`, `1h30m`, `2 hours`, `PT20M` or `P1D`; more than zero, up to a hundred years.

    Units go from large to small, each once. Months and years are no fixed spans and are refused.

    Raises:
        InvalidInput: `invalid_schedule`, with the way to write it.
    """
    text = text.strip(" ")
    found = _ISO.fullmatch(text) or _WORDS.fullmatch(text)
    if found is None or not text or text.endswith(","):
        raise _unreadable(text, field)
    parts = found.groupdict(default="0")
    seconds = sum(size * int(parts[unit]) for unit, size in UNITS.items())
    if not 0 < seconds <= LONGEST.total_seconds():
        raise InvalidInput(
            "A duration must be longer than zero and at most a hundred years.",
            code="invalid_schedule",
            field=field,
            hint=_HOW,
        )
    return timedelta(seconds=seconds)


def parse_every(text: str, *, field: str = "schedule_expr") -> timedelta:
    """Read the duration of an interval: `every 15m`, `every hour`, `15m` or `PT15M`."""
    rest = _without("every", text)
    if rest is not None and (one := _ONE.fullmatch(rest)):
        return timedelta(seconds=UNITS[str(one.lastgroup)])
    return parse_duration(text if rest is None else rest, field=field)


def parse_in(text: str, *, field: str = "schedule_expr") -> timedelta:
    """Read the duration from now on: `in 20 minutes`, `20m` or `PT20M`."""
    rest = _without("in", text)
    return parse_duration(text if rest is None else rest, field=field)


def is_duration(text: str) -> bool:
    """Whether `parse_duration` would read it."""
    try:
        parse_duration(text)
    except InvalidInput:
        return False
    return True


def in_words(span: timedelta) -> str:
    """`1 hour 30 minutes`; whole seconds, `0 seconds` for what is shorter."""
    names = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
    left, words = int(span.total_seconds()), list[str]()
    for unit, size in UNITS.items():
        number, rest = divmod(left, size)
        if number and not (unit == "w" and rest):
            words.append(f"{number} {names[unit]}" + ("s" if number > 1 else ""))
            left = rest
    return " ".join(words) or "0 seconds"


def _without(word: str, text: str) -> str | None:
    """What follows the leading word; None when the text does not begin with it."""
    first, space, rest = text.strip(" ").partition(" ")
    return rest.strip(" ") if space and first.lower() == word else None


def _unreadable(text: str, field: str) -> InvalidInput:
    hint = _HOW
    if re.search(r"month|year|^P[0-9]+[MY]", text[:100], re.IGNORECASE):
        hint = "Months and years differ in length: use a rule such as FREQ=MONTHLY;BYMONTHDAY=1."
    shown = ascii(text if len(text) <= 40 else text[:37] + "...")
    return InvalidInput(f"{shown} is no duration.", code="invalid_schedule", field=field, hint=hint)
