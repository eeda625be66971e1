"""Cron expressions by cronie's rules, behind a strict grammar of five fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ordinaut_mcp.errors import InvalidInput

LONGEST: Final = 256
NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun")
_MONTHS_2: Final = ("jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ITEM: Final = re.compile(
    r"(?:(?P<star>\*)|(?P<low>[0-9]{1,4}|[a-z]{3})(?:-(?P<high>[0-9]{1,4}|[a-z]{3}))?)"
    r"(?:/(?P<step>[0-9]{1,4}))?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    def error(self, item: str, why: str) -> InvalidInput:
        shown = ascii(item if len(item) <= 40 else item[:37] + "...")
        return InvalidInput(
            f"{shown} is no {self.name}: {why}.",
            code="invalid_schedule",
            field="schedule_expr",
            hint=f"The {self.name} goes from {self.low} to {self.high}; "
            "write *, 5, 1-5, 1,3,5 or */10.",
        )


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS + _MONTHS_2),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The five fields as ascending values; in `weekdays` Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    fields: tuple[str, ...]
    """The text of each field, after a nickname was replaced."""

    @property
    def is_wildcard(self) -> bool:
        """The minute or the hour begins with a star: such a schedule follows the wall clock."""
        return self.fields[0].startswith("*") or self.fields[1].startswith("*")

    @property
    def is_every_hour(self) -> bool:
        """A wildcard that no clock change can make late, skip or run twice in surprise."""
        return self.is_wildcard and len(self.hours) == 24

    @property
    def needs_both_days(self) -> bool:
        """A star at the start of either day field: both must match; else one is enough."""
        return self.fields[2].startswith("*") or self.fields[4].startswith("*")


def parse_cron(text: str) -> Cron:
    """Read five fields or a nickname such as `@daily`.

    Numbers, names of three letters, lists, ranges and steps, as crontab(5) has them; `5/15`
    is `5-59/15`. Nothing else: no seconds, no `L`, `W`, `#`, `?`, `H` or `R`.

    Raises:
        InvalidInput: `too_long` or `invalid_schedule`, naming the field of the expression.
    """
    if len(text) > LONGEST:
        raise InvalidInput(
            f"A cron expression has at most {LONGEST} characters, not {len(text)}.",
            code="too_long",
            field="schedule_expr",
            hint="Use ranges and steps such as 0-30/5.",
        )
    fields = tuple(re.split(r"[ \t]+", _named(text.strip(" \t"))))
    if len(fields) != len(_FIELDS):
        raise _miscounted(fields)
    minutes, hours, days, months, weekdays = (
        _values(field, part) for field, part in zip(_FIELDS, fields, strict=True)
    )
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=tuple(sorted({day % 7 for day in weekdays})),
        fields=fields,
    )


def _named(text: str) -> str:
    if not text.startswith("@"):
        return text
    if text.lower() not in NICKNAMES:
        raise InvalidInput(
            f"{text[:40]!a} is no nickname that a durable scheduler can keep.",
            code="invalid_schedule",
            field="schedule_expr",
            hint="Use one of the nicknames, or five fields such as 0 9 * * 1-5.",
            allowed=list(NICKNAMES),
        )
    return NICKNAMES[text.lower()]


def _miscounted(fields: tuple[str, ...]) -> InvalidInput:
    count = len(fields) if fields != ("",) else 0
    hint = "Write minute, hour, day of month, month and day of week, such as 30 8 * * 1-5."
    if count == 6:
        hint += " Seconds are no part of cron: for those use schedule_kind interval, every 10s."
    return InvalidInput(
        f"A cron expression has five fields, not {count}.",
        code="invalid_schedule",
        field="schedule_expr",
        hint=hint,
    )


def _values(field: _Field, part: str) -> tuple[int, ...]:
    values = set[int]()
    for item in part.split(","):
        values.update(_range(field, item))
    return tuple(sorted(values))


def _range(field: _Field, item: str) -> range:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise field.error(item, _misfit(item))
    low, high = field.low, field.high
    if not match["star"]:
        low = _number(field, match["low"])
        high = _number(field, match["high"]) if match["high"] else low
        if match["step"] and not match["high"]:
            high = field.high
    if low > high:
        raise field.error(item, "the range runs backwards")
    step = int(match["step"] or 1)
    if not 1 <= step <= field.high:
        raise field.error(item, f"a step goes from 1 to {field.high}")
    return range(low, high + 1, step)


def _number(field: _Field, word: str) -> int:
    if word.isdigit():
        number = int(word)
    elif word.lower() in field.words:
        number = field.words.index(word.lower()) + (field.name == "month")
    else:
        raise field.error(word, "no such name")
    if not field.low <= number <= field.high:
        raise field.error(word, "out of range")
    return number


def _misfit(item: str) -> str:
    if re.search(r"[#LlWw?]", item):
        return "L, W, # and ? are not part of cron; use an rrule such as FREQ=MONTHLY;BYDAY=2MO"
    return "it is neither a number, a name, a list, a range nor a step"
