"""What a caller asks of a schedule, the limits on it, and how its kind is recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from ordinaut_mcp.domain.duration import is_duration
from ordinaut_mcp.domain.recurrence.rule_text import LONGEST_TEXT, looks_like_rule
from ordinaut_mcp.domain.zone import Gap
from ordinaut_mcp.errors import InvalidInput, NotAvailable


class Kind(StrEnum):
    """How a schedule names its times."""

    ONCE = "once"
    IN = "in"
    INTERVAL = "interval"
    CRON = "cron"
    RRULE = "rrule"


KINDS: Final = ("auto", *Kind, "event", "condition")
"""What `schedule_kind` may say; events and conditions are no schedules and live elsewhere."""

_LOOKS: Final = (
    ("interval", re.compile(r"every ", re.IGNORECASE)),
    ("in", re.compile(r"in +[0-9]", re.IGNORECASE)),
    ("once", re.compile(r"[0-9]{4}-[0-9]")),
    ("cron", re.compile(r"@|[0-9*][^ \t]*([ \t]+[0-9A-Za-z*?#,/-]+){3,6}$")),
    ("condition", re.compile(r".*([<>]|==|!=|&&|\|\|)", re.DOTALL)),
    ("event", re.compile(r"[a-z][a-z0-9_-]*(\.([a-z0-9_-]+|\*\*?))+$")),
)
"""What the text of each kind begins like, tried in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """A schedule as it was asked for: texts, nothing checked yet."""

    expr: str
    kind: str = "auto"
    timezone: str = "UTC"
    start_at: str | None = None
    end_at: str | None = None
    exclude: tuple[str, ...] = ()
    exclude_calendar: str | None = None
    gap: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLimits:
    """What a schedule may ask for; `most_count` bounds COUNT, which is closed at creation."""

    min_interval: timedelta = timedelta(seconds=1)
    horizon: timedelta = timedelta(days=3_653)
    most_count: int = 10_000


def text_of(value: object, *, field: str) -> str:
    """The value, if it is a text of a length that a schedule can have.

    Raises:
        InvalidInput: `wrong_type`, `invalid_schedule` for an empty one, or `too_long`.
    """
    if not isinstance(value, str):
        raise InvalidInput(
            f"{field} must be a text, not {type(value).__name__}.",
            code="wrong_type",
            field=field,
            hint="Write it as a JSON string.",
        )
    if not value.strip():
        raise _unrecognised(field, "is empty")
    if len(value) > LONGEST_TEXT:
        raise InvalidInput(
            f"{field} has at most {LONGEST_TEXT} characters, not {len(value)}.",
            code="too_long",
            field=field,
            hint="Shorten it, or split the schedule into several tasks.",
        )
    return value


def kind_of(request: ScheduleRequest) -> Kind:
    """The kind that was asked for, or for `auto` the one that the expression looks like.

    Raises:
        InvalidInput: `invalid_schedule`: an unknown kind, or a text like no kind at all.
        NotAvailable: an event or a condition.
    """
    kind = text_of(request.kind, field="schedule_kind")
    if kind not in KINDS:
        raise _unknown_kind(kind)
    expr = text_of(request.expr, field="schedule_expr")
    if kind == "auto":
        kind = _recognised(expr.strip())
    if kind in {"event", "condition"}:
        raise NotAvailable(
            f"Schedules of the kind {kind} are not available yet.",
            field="schedule_kind",
            hint="Use one of the kinds that name times.",
            allowed=["auto", *Kind],
        )
    return Kind(kind)


def gap_of(request: ScheduleRequest) -> Gap:
    """The policy for local times that a clock change skips.

    Raises:
        InvalidInput: `invalid_schedule`, neither `shift` nor `omit`.
    """
    match request.gap:
        case None | "shift":
            return "shift"
        case "omit":
            return "omit"
        case other:
            raise InvalidInput(
                f"gap={ascii(other)[:60]} is unknown.",
                code="invalid_schedule",
                field="gap",
                hint="shift runs a skipped local time later, omit leaves it out.",
                allowed=["shift", "omit"],
            )


def _recognised(expr: str) -> str:
    """The kind that an expression looks like; reading it strictly comes later."""
    if looks_like_rule(expr):
        return "rrule"
    if is_duration(expr):
        return "in"
    for kind, looks in _LOOKS:
        if looks.match(expr):
            return kind
    raise _unrecognised("schedule_expr", "is like no kind of schedule")


def _unrecognised(field: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{field} {why}.",
        code="invalid_schedule",
        field=field,
        hint="Write it in one of the allowed forms; times are local to `timezone`.",
        allowed=[
            "2026-12-24T18:00",
            "in 20 minutes",
            "every 15m",
            "30 8 * * 1-5",
            "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9",
        ],
    )


def _unknown_kind(kind: str) -> InvalidInput:
    from difflib import get_close_matches

    near = get_close_matches(kind[:32].lower(), KINDS, n=1, cutoff=0.5)
    return InvalidInput(
        f"There is no schedule_kind {kind[:32]!a}.",
        code="invalid_schedule",
        field="schedule_kind",
        hint=f"Did you mean {near[0]}?" if near else "Leave it out, and it is recognised.",
        allowed=list(KINDS),
    )
