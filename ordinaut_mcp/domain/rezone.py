"""The next slot anew, after another release of tzdata moved the local times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ordinaut_mcp.domain.decision import Recomputed, StaleTask
from ordinaut_mcp.domain.schedule import Kind, Schedule
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import TaskDefinition, TaskStatus
from ordinaut_mcp.domain.zone import offsets_of, to_local
from ordinaut_mcp.errors import OrdinautError

ON_THE_UTC_LINE = frozenset({Kind.INTERVAL, Kind.IN})
TICK = timedelta(microseconds=1)
PAUSED = "Paused by Ordinaut after an update of tzdata: "


def recompute(task: StaleTask) -> Recomputed:
    """The first slot whose local time comes after the newest one that was accounted for.

    What has fired by local time never fires again, and what has not fired by local time is not
    lost, even when its instant has moved into the past. A task that has no slot any more, or
    cannot be computed, is paused, visibly.
    """
    try:
        following = _next(task)
    except OrdinautError as error:
        return _paused(task, error.message)
    if following is None:
        return _paused(task, "none of its times is to come any more. Update or cancel it.")
    return Recomputed(next_run_at=following)


def _paused(task: StaleTask, why: str) -> Recomputed:
    return Recomputed(next_run_at=task.next_run_at, status=TaskStatus.PAUSED, note=f"{PAUSED}{why}")


def _next(task: StaleTask) -> datetime | None:
    schedule = computable(TaskDefinition.from_dict(task.definition).schedule)
    if schedule.kind in ON_THE_UTC_LINE:
        return task.next_run_at
    if task.last_slot_at is None or task.last_slot_local is None:
        # An edit may have come while a slot was due and not taken yet.
        first = next(
            iter(schedule.slots_after(min(task.revised_at, task.next_run_at - TICK))), None
        )
        return first.at if first else None
    return _after_local(schedule, task.last_slot_local)


def _after_local(schedule: Schedule, last: datetime) -> datetime | None:
    """The first slot whose local time comes after this one.

    The search begins where the larger offset puts it. When that lies before a gap, at most the
    slots of the gap's length are passed over.
    """
    since = (last - max(offsets_of(last, schedule.tz))).replace(tzinfo=UTC)
    for slot in schedule.slots_after(since - TICK):
        if to_local(slot.at, schedule.tz) > last:
            return slot.at
    return None
