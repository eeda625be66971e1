"""What a snooze does: this occurrence moves or is left out, the series stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypedDict

from ordinaut_mcp.domain.decision import MovedRun, NewRun, SkippedSlots, SnoozeWrite
from ordinaut_mcp.domain.materialise import slot_key
from ordinaut_mcp.domain.pausing import passed_over
from ordinaut_mcp.domain.run import RunKind
from ordinaut_mcp.domain.schedule import Occurrence, Schedule
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import Overlap, Task, TaskStatus
from ordinaut_mcp.domain.zone import to_local
from ordinaut_mcp.errors import Conflict, InvalidInput

MOST_SKIPPED = 1000
FARTHEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoozeRequest:
    """One of: so much later, until then, or leave out the next so many."""

    span: timedelta | None = None
    until: datetime | None = None
    skip: int | None = None


Snooze = Callable[[Task, MovedRun | None, datetime], SnoozeWrite]


def snoozer(request: SnoozeRequest) -> Snooze:
    """The decision about one task, its occurrence that was moved before (if any), and now.

    Raises:
        InvalidInput: not exactly one of the three was asked.
    """
    if [request.span, request.until, request.skip].count(None) != 2:
        raise InvalidInput(
            "Say exactly one of for_seconds, until and skip.",
            code="conflicting_arguments",
            field="for_seconds",
            hint="for_seconds=3600 moves the next occurrence by an hour; skip=1 leaves it out.",
        )

    def decide(task: Task, moved: MovedRun | None, now: datetime) -> SnoozeWrite:
        _refuse_not_active(task, moved)
        if moved and task.next_run_at is not None and moved.due_at > task.next_run_at:
            moved = None
        if request.skip is not None:
            return _skipped(task, request.skip, moved)
        if moved is not None:
            to = _target(request, max(moved.due_at, now), now)
            return SnoozeWrite(moved=moved, to=to, next_run_at=task.next_run_at)
        return _moved(task, request, now)

    return decide


def _moved(task: Task, request: SnoozeRequest, now: datetime) -> SnoozeWrite:
    slot = _running(task, 1)[0]
    to = _target(request, max(slot.at, now), now)
    rules = task.definition.policies
    spent = rules.max_runs is not None and task.runs_started + 1 >= rules.max_runs
    excluded, following = _excluded(task, slot)
    after = None if spent else following
    return SnoozeWrite(
        run=NewRun(
            slot_key=slot_key(slot.at),
            kind=RunKind.SCHEDULE,
            scheduled_for=slot.at,
            due_at=to,
            priority=rules.priority,
            serial=rules.overlap is not Overlap.ALLOW,
            limit=rules.limit(task.id),
        ),
        skips=excluded,
        to=to,
        next_run_at=after,
        status=TaskStatus.ACTIVE if after else TaskStatus.COMPLETED,
        **_newest(task, slot, excluded),
    )


def _skipped(task: Task, count: int, moved: MovedRun | None) -> SnoozeWrite:
    """The moved occurrence is the next one, and the first to be left out."""
    own = [_snoozed(moved.scheduled_for, moved.scheduled_for, 1)] if moved else []
    wanted = count - len(own)
    if wanted == 0:
        at = task.next_run_at
        return SnoozeWrite(moved=moved, skips=own, to=at, next_run_at=at, status=task.status)
    left_out = list[Occurrence]()
    if task.next_run_at is not None:
        left_out += _running(task, wanted)
    if len(left_out) < wanted:
        raise InvalidInput(
            f"Only {len(left_out) + len(own)} occurrences are to come.",
            code="out_of_range",
            field="skip",
            hint="Cancel the task if none of them should run: cancel_task.",
        )
    excluded, after = _excluded(task, left_out[-1])
    return SnoozeWrite(
        moved=moved,
        skips=[*own, _snoozed(left_out[0].at, left_out[-1].at, wanted), *excluded],
        to=after,
        next_run_at=after,
        status=TaskStatus.ACTIVE if after else TaskStatus.COMPLETED,
        **_newest(task, left_out[-1], excluded),
    )


def _snoozed(first: datetime, last: datetime, count: int) -> SkippedSlots:
    return SkippedSlots(reason="snoozed", first=first, last=last, count=count)


def _excluded(task: Task, upto: Occurrence) -> tuple[Sequence[SkippedSlots], datetime | None]:
    """What is excluded before a slot and on the way to the one after it; and that one."""
    skips, following = passed_over(task, upto.at, reason="snoozed")
    return [skip for skip in skips if skip.reason == "excluded"], following


class _Newest(TypedDict):
    last_slot_at: datetime
    last_slot_local: datetime


def _newest(task: Task, slot: Occurrence, excluded: Sequence[SkippedSlots]) -> _Newest:
    at = max([slot.at, *(skip.last for skip in excluded)])
    tz = computable(task.definition.schedule).tz
    return _Newest(last_slot_at=at, last_slot_local=to_local(at, tz))


def _target(request: SnoozeRequest, base: datetime, now: datetime) -> datetime:
    to = request.until or base + (request.span or timedelta(0))
    if to <= now:
        raise InvalidInput(
            "That instant has passed already.",
            code="in_the_past",
            field="until",
            hint="Give a later one, or call run_now.",
        )
    if to > now + FARTHEST:
        raise InvalidInput(
            "An occurrence can be moved by a year at most.",
            code="too_far",
            field="until" if request.until else "for_seconds",
        )
    return to


def _running(task: Task, count: int) -> Sequence[Occurrence]:
    schedule: Schedule = computable(task.definition.schedule)
    if task.next_run_at is None:
        raise Conflict(
            f"Nothing of {task.name} is to come.", field="task", hint="Call schedule_task."
        )
    since = task.next_run_at - timedelta(microseconds=1)
    slots = (slot for slot in schedule.slots_after(since) if slot.excluded is None)
    return list(islice(slots, count))


def _refuse_not_active(task: Task, moved: MovedRun | None) -> None:
    # A task that is completed may still have its last occurrence before it, moved.
    if task.status is TaskStatus.COMPLETED and moved is not None:
        return
    if task.status is not TaskStatus.ACTIVE:
        raise Conflict(
            f"{task.name} is {task.status.value}; there is no occurrence to move.",
            field="task",
            hint="A paused task: call resume_task first.",
        )
