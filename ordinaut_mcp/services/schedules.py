"""Previews: what a schedule means, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ordinaut_mcp.domain.instant import parse_instant
from ordinaut_mcp.domain.schedule import Occurrence, Schedule, ScheduleRequest, compile_preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The next occurrences; `complete`: the series ends with the last one shown."""

    schedule: Schedule
    occurrences: Sequence[Occurrence]
    complete: bool
    warnings: Sequence[str]


def preview(request: ScheduleRequest, *, after: str | None, count: int, now: datetime) -> Preview:
    """The next `count` occurrences after `after` (default: now)."""
    since = parse_instant(after, field="after", timezone=request.timezone) if after else now
    schedule = compile_preview(request, after=since, now=now)
    found = list(islice(_coming(schedule, since), count + 1))
    return Preview(
        schedule=schedule,
        occurrences=found[:count],
        complete=len(found) <= count,
        warnings=schedule.warnings(since),
    )


def _coming(schedule: Schedule, since: datetime) -> Iterator[Occurrence]:
    """The occurrences that will run; excluded ones are passed over in bulk."""
    following = schedule.next_after(since)
    while following is not None:
        yield following
        following = schedule.next_after(following.at)
