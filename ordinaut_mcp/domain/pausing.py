"""What pausing and resuming do to a task and to the slots in between."""

from __future__ import annotations

from datetime import datetime, timedelta

from ordinaut_mcp.domain.decision import SkippedSlots, StatusWrite
from ordinaut_mcp.domain.occurrence import MisfirePolicy, account
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.errors import Conflict

NOBODY_RUNS = MisfirePolicy(misfire="skip", max_lateness=None)


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
        Conflict: the task is completed or canceled.
    """
    _refuse_ended(task, "resumed")
    if task.status is TaskStatus.ACTIVE:
        return None
    if task.next_run_at is None or task.next_run_at > now:
        return StatusWrite(status=TaskStatus.ACTIVE, note=None, next_run_at=task.next_run_at)
    missed = account(
        task.definition.schedule,
        due_from=task.next_run_at,
        now=now,
        policy=NOBODY_RUNS,
        on_time=timedelta(0),
    )
    skips = [
        SkippedSlots(
            reason="paused" if stretch.reason == "late" else stretch.reason,
            first=stretch.first,
            last=stretch.last,
            count=stretch.count,
            is_exact=stretch.count_is_exact,
        )
        for stretch in missed.skipped
    ]
    status = TaskStatus.COMPLETED if missed.next_at is None else TaskStatus.ACTIVE
    return StatusWrite(status=status, note=None, next_run_at=missed.next_at, skips=skips)


def _refuse_ended(task: Task, verb: str) -> None:
    if task.status in {TaskStatus.COMPLETED, TaskStatus.CANCELED}:
        raise Conflict(
            f"{task.name} is {task.status.value} and cannot be {verb}.",
            field="task",
            hint="Call schedule_task with its key (or a new one) to make it active anew.",
        )
