"""RRULE, RDATE and EXDATE as text: a strict reader of RFC 5545 and of RFC 7529's SKIP.

Nothing is guessed and nothing is dropped: an unknown part, a part given twice, a value out
of range or a digit of another script is an error that says how to write it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final

from ordinaut_mcp.domain.recurrence.rule import Rule, RuleSet
from ordinaut_mcp.domain.recurrence.rule_checks import check_rule, invalid
from ordinaut_mcp.domain.recurrence.rule_values import READERS, parse_days_or_times, parse_times
from ordinaut_mcp.errors import InvalidInput

LONGEST_TEXT: Final = 20_000
LONGEST_RULE: Final = 512
MOST_VALUES: Final = 200
MOST_DATES: Final = 1_000


def looks_like_rule(text: str) -> bool:
    """Whether a text of unknown kind is meant as a recurrence rule."""
    return bool(
        re.search(r"\bFREQ=", text[:LONGEST_TEXT], re.IGNORECASE)
        or re.match(r"\s*(RRULE|EXRULE|RDATE|EXDATE|DTSTART)\b", text, re.IGNORECASE)
    )


def parse_rule_set(text: str) -> RuleSet:
    """Read one RRULE, with or without its prefix, and any RDATE and EXDATE lines.

    Raises:
        InvalidInput: `too_long`, `too_complex` or `invalid_schedule`.
    """
    if len(text) > LONGEST_TEXT:
        raise _too_long("The expression", LONGEST_TEXT, len(text))
    rules, extra, removed = list[str](), list[datetime](), list[date]()
    for line in filter(None, (line.strip(" \t\r") for line in text.split("\n"))):
        name, value = _line(line)
        if name == "RRULE":
            rules.append(value)
        elif name == "RDATE":
            extra.extend(parse_times(name, value))
        else:
            removed.extend(parse_days_or_times(name, value))
    if len(rules) != 1:
        raise invalid(
            f"There must be exactly one RRULE, not {len(rules)}.",
            "Write one rule such as FREQ=WEEKLY;BYDAY=MO; for a second rule make a second task.",
        )
    if len(extra) + len(removed) > MOST_DATES:
        raise _too_complex(f"There are more than {MOST_DATES} RDATE and EXDATE dates.")
    return RuleSet(rule=parse_rule(rules[0]), extra=tuple(extra), removed=tuple(removed))


def parse_rule(text: str) -> Rule:
    """Read the parts of one rule, such as `FREQ=MONTHLY;BYDAY=-1FR`."""
    parts = _parts(text)
    values = sum(value.count(",") + 1 for name, value in parts.items() if name.startswith("BY"))
    if values > MOST_VALUES:
        raise _too_complex(f"The rule names more than {MOST_VALUES} BY values.")
    if len(text) > LONGEST_RULE:
        raise _too_long("The rule", LONGEST_RULE, len(text))
    if "FREQ" not in parts:
        raise invalid("The rule has no FREQ.", "Begin with FREQ=DAILY, FREQ=WEEKLY or the like.")
    if parts.pop("RSCALE", "GREGORIAN" if "SKIP" not in parts else "") != "GREGORIAN":
        raise invalid(
            "RSCALE must be GREGORIAN, and SKIP needs it.", "Write RSCALE=GREGORIAN;SKIP=…"
        )
    read: dict[str, Any] = {}
    for part, value in parts.items():
        name, reader = READERS[part]
        read[name] = reader(part, value)
    rule = Rule(**read)
    check_rule(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    parts = dict[str, str]()
    for part in text.upper().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if name not in READERS and name != "RSCALE":
            raise _unknown_part(name)
        if not equals or not value:
            raise invalid(f"{name} has no value.", f"Write {name}=…, or leave it out.")
        if name in parts:
            raise invalid(
                f"{name} is given twice.",
                "Keep one; several values of a BY part are joined with commas.",
            )
        parts[name] = value
    return parts


def _unknown_part(name: str) -> InvalidInput:
    shown = ascii(name[:40])
    return InvalidInput(
        f"{shown} is no part of a recurrence rule.",
        code="invalid_schedule",
        field="schedule_expr",
        hint="Write parts as NAME=VALUE with ; between them, such as FREQ=WEEKLY;BYDAY=MO,FR.",
        allowed=[*READERS, "RSCALE"],
    )


def _line(line: str) -> tuple[str, str]:
    """The property's name and value; a bare rule is an RRULE."""
    match = re.match(r"([A-Za-z]+)([;:])", line)
    if match is None:
        return "RRULE", line
    name, rest = match[1].upper(), line[match.end() :]
    if name in {"DTSTART", "EXRULE"}:
        instead = "start_at" if name == "DTSTART" else "EXDATE lines or exclude"
        raise invalid(f"{name} is no part of the expression.", f"Give {instead} instead.")
    if name not in {"RRULE", "RDATE", "EXDATE"}:
        raise invalid(
            f"There is no line {name[:40]} in a schedule.", "Use RRULE, RDATE and EXDATE lines."
        )
    if match[2] == ";":
        parameter, _, rest = rest.partition(":")
        if parameter.upper() not in {"VALUE=DATE", "VALUE=DATE-TIME"}:
            raise invalid(
                f"{name} takes no parameter {parameter[:40]!a}.",
                "Dates are local times in the task's timezone, or UTC with a Z.",
            )
    return name, rest


def _too_long(what: str, limit: int, length: int) -> InvalidInput:
    return InvalidInput(
        f"{what} has at most {limit} characters, not {length}.",
        code="too_long",
        field="schedule_expr",
        hint="Shorten it, or split it into several tasks.",
    )


def _too_complex(message: str) -> InvalidInput:
    return InvalidInput(
        message,
        code="too_complex",
        field="schedule_expr",
        hint="Use a shorter frequency with fewer values, or split it into several tasks.",
    )
