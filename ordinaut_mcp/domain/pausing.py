"""What pausing, resuming and canceling do to a task and to the slots that nobody took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ordinaut_mcp.domain.decision import SkippedSlots, StatusWrite
from ordinaut_mcp.domain.occurrence import MisfirePolicy, account
from ordinaut_mcp.domain.schedule import Kind, Schedule
from ordinaut_mcp.domain.stuck import StuckSchedule, computable
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.errors import Conflict

NOBODY_RUNS = MisfirePolicy(misfire="skip", max_lateness=None)
NO_TIME = timedelta(microseconds=-1)
"""No slot is on time then, not even one that is due at this very instant."""


def pause(task: Task, note: str | None) -> StatusWrite | None:
    """Pause an active task; pausing again only changes the note.

    Raises:
        Conflict: the task is completed or canceled.
    """
    _refuse_ended(task, "paused")
    if task.status is TaskStatus.PAUSED and note in {None, task.note}:
        return None
    return StatusWrite(status=TaskStatus.PAUSED, note=note, next_run_at=task.next_run_at)


def resume(task: Task, now: datetime) -> StatusWrite | None:
    """Let a paused task fire again; its slots until now are skipped with the reason `paused`.

    Raises:
        Conflict: the task is completed or canceled, or its schedule is stuck.
    """
    _refuse_ended(task, "resumed")
    if task.status is TaskStatus.ACTIVE:
        return None
    computable(task.definition.schedule)
    if task.next_run_at is None or task.next_run_at > now:
        return StatusWrite(status=TaskStatus.ACTIVE, note=None, next_run_at=task.next_run_at)
    skips, following = passed_over(task, now, reason="paused")
    status = TaskStatus.COMPLETED if following is None else TaskStatus.ACTIVE
    return StatusWrite(status=status, note=None, next_run_at=following, skips=skips)


def cancel(task: Task, now: datetime) -> StatusWrite | None:
    """End a task for good; what was due and not taken yet is skipped, what is queued canceled."""
    if task.status is TaskStatus.CANCELED:
        return None
    reason = "paused" if task.status is TaskStatus.PAUSED else "canceled"
    skips, _ = passed_over(task, now, reason=reason, goes_on=False)
    return StatusWrite(
        status=TaskStatus.CANCELED,
        note=task.note,
        next_run_at=None,
        skips=skips,
        cancel_queued=True,
    )


def passed_over(
    task: Task, now: datetime, *, reason: str, goes_on: bool = True
) -> tuple[Sequence[SkippedSlots], datetime | None]:
    """The slots until now that nobody accounted for, none of which runs; and the next slot.

    Where the series goes on, what is excluded on the way to the next slot is among them.
    """
    due_from, schedule = task.next_run_at, task.definition.schedule
    if due_from is None or due_from > now or isinstance(schedule, StuckSchedule):
        return (), due_from
    if not goes_on:
        schedule = _ended(schedule, now)
    missed = account(schedule, due_from=due_from, now=now, policy=NOBODY_RUNS, on_time=NO_TIME)
    skips = [
        SkippedSlots(
            reason=reason if stretch.reason == "late" else stretch.reason,
            first=stretch.first,
            last=stretch.last,
            count=stretch.count,
            is_exact=stretch.count_is_exact,
        )
        for stretch in missed.skipped
    ]
    return skips, missed.next_at


def _ended(schedule: Schedule, now: datetime) -> Schedule:
    """The schedule up to now; recurring ones name whole seconds, as `end_at` does."""
    over = schedule.end_at is not None and schedule.end_at <= now
    if over or schedule.kind in {Kind.ONCE, Kind.IN}:
        return schedule
    return replace(schedule, end_text=now.replace(microsecond=0).isoformat())


def _refuse_ended(task: Task, verb: str) -> None:
    if task.status in {TaskStatus.COMPLETED, TaskStatus.CANCELED}:
        raise Conflict(
            f"{task.name} is {task.status.value} and cannot be {verb}.",
            field="task",
            hint="Call schedule_task with its key (or a new one) to make it active anew.",
        )
