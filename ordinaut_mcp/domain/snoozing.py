"""What a snooze does: this occurrence moves or is left out, the series stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from ordinaut_mcp.domain.decision import MovedRun, NewRun, SkippedSlots, SnoozeWrite
from ordinaut_mcp.domain.materialise import slot_key
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
        _refuse_not_active(task)
        if request.skip is not None:
            return _skipped(task, request.skip)
        if moved is not None and (task.next_run_at is None or moved.due_at <= task.next_run_at):
            to = _target(request, max(moved.due_at, now), now)
            return SnoozeWrite(moved=moved, to=to, next_run_at=task.next_run_at)
        return _moved(task, request, now)

    return decide


def _moved(task: Task, request: SnoozeRequest, now: datetime) -> SnoozeWrite:
    slot, following = _next_two(task)
    to = _target(request, max(slot.at, now), now)
    rules = task.definition.policies
    spent = rules.max_runs is not None and task.runs_started + 1 >= rules.max_runs
    after = None if spent or following is None else following.at
    return SnoozeWrite(
        run=NewRun(
            slot_key=slot_key(slot.at),
            kind=RunKind.SCHEDULE,
            scheduled_for=slot.at,
            due_at=to,
            priority=rules.priority,
            serial=rules.overlap is not Overlap.ALLOW,
        ),
        to=to,
        next_run_at=after,
        status=TaskStatus.ACTIVE if after else TaskStatus.COMPLETED,
        last_slot_at=slot.at,
        last_slot_local=to_local(slot.at, computable(task.definition.schedule).tz),
    )


def _skipped(task: Task, count: int) -> SnoozeWrite:
    slots = _running(task, count + 1)
    left_out, following = slots[:count], slots[count:]
    if len(left_out) < count:
        raise InvalidInput(
            f"Only {len(left_out)} occurrences are to come.",
            code="out_of_range",
            field="skip",
            hint="Cancel the task if none of them should run: cancel_task.",
        )
    first, last = left_out[0], left_out[-1]
    after = following[0].at if following else None
    return SnoozeWrite(
        skips=[SkippedSlots(reason="snoozed", first=first.at, last=last.at, count=count)],
        to=after,
        next_run_at=after,
        status=TaskStatus.ACTIVE if after else TaskStatus.COMPLETED,
        last_slot_at=last.at,
        last_slot_local=to_local(last.at, computable(task.definition.schedule).tz),
    )


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


def _next_two(task: Task) -> tuple[Occurrence, Occurrence | None]:
    slots = _running(task, 2)
    return slots[0], slots[1] if len(slots) > 1 else None


def _running(task: Task, count: int) -> Sequence[Occurrence]:
    schedule: Schedule = computable(task.definition.schedule)
    if task.next_run_at is None:
        raise Conflict(
            f"Nothing of {task.name} is to come.", field="task", hint="Call schedule_task."
        )
    since = task.next_run_at - timedelta(microseconds=1)
    slots = (slot for slot in schedule.slots_after(since) if slot.excluded is None)
    return list(islice(slots, count))


def _refuse_not_active(task: Task) -> None:
    if task.status is not TaskStatus.ACTIVE:
        raise Conflict(
            f"{task.name} is {task.status.value}; there is no occurrence to move.",
            field="task",
            hint="A paused task: call resume_task first.",
        )
