"""The next slot anew, after another release of tzdata moved the local times."""

from __future__ import annotations

from datetime import datetime

from ordinaut_mcp.domain.decision import Recomputed, StaleTask
from ordinaut_mcp.domain.schedule import Kind
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import TaskDefinition, TaskStatus
from ordinaut_mcp.domain.zone import to_local
from ordinaut_mcp.errors import OrdinautError

ON_THE_UTC_LINE = frozenset({Kind.INTERVAL, Kind.IN})
LOOKED_AT = 10_000
"""Slots passed over at most: those of one changed offset, however dense the rule."""


def recompute(task: StaleTask) -> Recomputed:
    """The first slot whose local time comes after the newest one that was accounted for.

    What has fired by local time never fires again, and what has not fired by local time is not
    lost, even when its instant has moved into the past.
    """
    try:
        return Recomputed(next_run_at=_next(task))
    except OrdinautError as error:
        note = f"Paused by Ordinaut after an update of tzdata: {error.message}"
        return Recomputed(next_run_at=task.next_run_at, status=TaskStatus.PAUSED, note=note)


def _next(task: StaleTask) -> datetime | None:
    schedule = computable(TaskDefinition.from_dict(task.definition).schedule)
    if schedule.kind in ON_THE_UTC_LINE:
        return task.next_run_at
    if task.last_slot_at is None or task.last_slot_local is None:
        first = next(iter(schedule.slots_after(task.revised_at)), None)
        return first.at if first else None
    # Offsets change by less than a day and a bit; the newest slot may lie on either side now.
    since = _a_day_before(task.last_slot_at)
    for _, slot in zip(range(LOOKED_AT), schedule.slots_after(since), strict=False):
        if to_local(slot.at, schedule.tz) > task.last_slot_local:
            return slot.at
    return None


def _a_day_before(instant: datetime) -> datetime:
    from datetime import timedelta

    return instant - timedelta(hours=27)
