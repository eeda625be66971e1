"""Schedules: when a task runs. Compiled once from what a caller asked, then only expanded."""

from __future__ import annotations

from datetime import datetime

from ordinaut_mcp.domain.duration import parse_in
from ordinaut_mcp.domain.recurrence.admission import admit, close_count, refuse_impossible
from ordinaut_mcp.domain.recurrence.moment import Moment, parse_moment
from ordinaut_mcp.domain.recurrence.request import (
    KINDS,
    Kind,
    ScheduleLimits,
    ScheduleRequest,
    gap_of,
    kind_of,
    text_of,
)
from ordinaut_mcp.domain.recurrence.timetable import Occurrence, Schedule
from ordinaut_mcp.domain.zone import to_local, zone

__all__ = [
    "KINDS",
    "Kind",
    "Occurrence",
    "Schedule",
    "ScheduleLimits",
    "ScheduleRequest",
    "compile_preview",
    "compile_schedule",
]


def compile_schedule(
    request: ScheduleRequest, *, now: datetime, limits: ScheduleLimits | None = None
) -> Schedule:
    """Read a request, fix its anchors at `now` (aware, UTC) and admit it within the limits.

    Raises:
        InvalidInput: `wrong_type`, `invalid_schedule`, `unknown_timezone`, `too_long`,
            `too_complex`, `interval_too_short`, `never_fires`, `in_the_past` or `too_far`; the
            field is the argument's name (`schedule_expr`, `start_at`, `exclude[0]`, …).
        NotAvailable: an event, a condition or a named calendar.
    """
    schedule = _read(request, created=now)
    return admit(schedule, now, limits or ScheduleLimits())


def compile_preview(
    request: ScheduleRequest, *, after: datetime | None = None, now: datetime
) -> Schedule:
    """Read a request to look at, as if it had been made at `after` (or `now`).

    The past, the horizon and the shortest interval do not matter, and a rule that has ended is
    empty. Without `start_at` nothing bounds `cron` and `once` below; `rrule` and `interval` are
    anchored at the local midnight of `after`.

    Raises:
        InvalidInput: as `compile_schedule`, less `in_the_past`, `too_far` and
            `interval_too_short`.
        NotAvailable: an event, a condition or a named calendar.
    """
    schedule = _read(request, created=after or now, is_preview=True)
    refuse_impossible(schedule)
    return close_count(schedule, ScheduleLimits().most_count, since=after or now)


def _read(request: ScheduleRequest, *, created: datetime, is_preview: bool = False) -> Schedule:
    kind = kind_of(request)
    zone(request.timezone)
    start = _text(request.start_at, "start_at")
    return Schedule(
        kind=kind,
        expr=request.expr.strip(),
        timezone=request.timezone,
        gap=gap_of(request),
        start_text=start,
        end_text=_text(request.end_at, "end_at"),
        exclude=tuple(
            text_of(text, field=f"exclude[{index}]") for index, text in enumerate(request.exclude)
        ),
        exclude_calendar=_text(request.exclude_calendar, "exclude_calendar"),
        anchor=_anchor(kind, request, created=created, is_preview=is_preview),
        since=None if start or is_preview else created,
    )


def _anchor(
    kind: Kind, request: ScheduleRequest, *, created: datetime, is_preview: bool
) -> datetime | None:
    """What the kind counts from: `start_at`, or what the creation gives in its place."""
    if kind is Kind.IN:
        return created + parse_in(request.expr)
    if kind not in {Kind.RRULE, Kind.INTERVAL}:
        return None
    tz = zone(request.timezone)
    start = Moment(local=to_local(created, tz).replace(hour=0, minute=0, second=0, microsecond=0))
    if request.start_at is not None:
        start = parse_moment(request.start_at, field="start_at")
    elif kind is Kind.INTERVAL and not is_preview:
        return created.replace(microsecond=0)
    return start.local_in(tz) if kind is Kind.RRULE else start.instant(tz)


def _text(value: str | None, field: str) -> str | None:
    return None if value is None else text_of(value, field=field)
