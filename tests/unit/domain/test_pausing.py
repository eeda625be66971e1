"""What pausing, resuming and canceling do to a task and to the slots in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ordinaut_mcp.domain.decision import StatusWrite
from ordinaut_mcp.domain.pausing import cancel, pause, resume
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus
from ordinaut_mcp.errors import Conflict
from tests.doubles.definitions import NOON, a_definition

HOUR = timedelta(hours=1)
FIRST = NOON + HOUR
ACTIVE, PAUSED = TaskStatus.ACTIVE, TaskStatus.PAUSED
ENDED = [TaskStatus.COMPLETED, TaskStatus.CANCELED]


def a_task(
    status: TaskStatus = ACTIVE,
    *,
    note: str | None = None,
    next_run_at: datetime | None = FIRST,
    definition: TaskDefinition | None = None,
) -> Task:
    definition = definition or a_definition(expr="every 1h")
    return Task(
        id=TaskId(7),
        owner="local",
        key=None,
        status=status,
        note=note,
        tags=(),
        generation=1,
        next_run_at=next_run_at,
        tz_version="2026f",
        runs_started=0,
        request={},
        definition=definition,
        pipeline_digest="",
        created_at=NOON,
        updated_at=NOON,
    )


def stuck() -> TaskDefinition:
    stored = a_definition(expr="every 1h").to_dict()
    stored["schedule"]["timezone"] = "Europe/Atlantis"
    return TaskDefinition.from_dict(stored)


def written(write: StatusWrite | None) -> StatusWrite:
    assert write is not None
    return write


def paused(task: Task) -> StatusWrite | None:
    return pause(task, None)


def resumed(task: Task) -> StatusWrite | None:
    return resume(task, NOON)


def test_pausing_keeps_the_place_in_the_series() -> None:
    write = written(pause(a_task(), "holidays"))

    assert (write.status, write.note, write.next_run_at) == (PAUSED, "holidays", FIRST)
    assert list(write.skips) == []


@pytest.mark.parametrize("note", [None, "holidays"])
def test_pausing_twice_changes_nothing(note: str | None) -> None:
    assert pause(a_task(PAUSED, note="holidays"), note) is None


def test_pausing_again_with_another_note_changes_the_note() -> None:
    write = written(pause(a_task(PAUSED, note="holidays"), "moving house"))

    assert (write.status, write.note) == (PAUSED, "moving house")


def test_resuming_before_the_next_slot_passes_over_nothing() -> None:
    write = written(resume(a_task(PAUSED, note="x"), NOON))

    assert (write.status, write.note, write.next_run_at) == (ACTIVE, None, FIRST)
    assert list(write.skips) == []


def test_resuming_accounts_for_the_slots_in_between_as_paused() -> None:
    write = written(resume(a_task(PAUSED), NOON + 3 * HOUR + HOUR / 2))

    [skip] = write.skips
    assert (skip.reason, skip.first, skip.last, skip.count) == (
        "paused",
        FIRST,
        NOON + 3 * HOUR,
        3,
    )
    assert (write.status, write.next_run_at) == (ACTIVE, NOON + 4 * HOUR)


def test_a_slot_that_is_due_at_the_very_instant_of_the_resume_is_passed_over() -> None:
    write = written(resume(a_task(PAUSED), FIRST))

    assert [skip.count for skip in write.skips] == [1]
    assert write.next_run_at == FIRST + HOUR


def test_resuming_after_the_last_slot_completes_the_task() -> None:
    once = a_task(PAUSED, definition=a_definition(expr="in 1h"))
    write = written(resume(once, FIRST + HOUR))

    assert (write.status, write.next_run_at) == (TaskStatus.COMPLETED, None)
    assert [skip.reason for skip in write.skips] == ["paused"]


def test_resuming_an_active_task_changes_nothing() -> None:
    assert resume(a_task(), NOON) is None


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("change", [paused, resumed])
def test_what_has_ended_can_neither_be_paused_nor_resumed(
    status: TaskStatus, change: Callable[[Task], object]
) -> None:
    with pytest.raises(Conflict) as refused:
        change(a_task(status, next_run_at=None))

    assert status.value in refused.value.message
    assert refused.value.field == "task"


def test_a_task_in_a_zone_that_has_gone_cannot_be_resumed() -> None:
    with pytest.raises(Conflict, match="Europe/Atlantis"):
        resume(a_task(PAUSED, definition=stuck()), NOON)


def test_canceling_ends_a_task_and_what_is_queued() -> None:
    write = written(cancel(a_task(note="x"), NOON))

    assert (write.status, write.next_run_at, write.note) == (TaskStatus.CANCELED, None, "x")
    assert write.cancel_queued
    assert list(write.skips) == []


@pytest.mark.parametrize(("status", "reason"), [(ACTIVE, "canceled"), (PAUSED, "paused")])
def test_canceling_accounts_for_the_slots_that_nobody_took(status: TaskStatus, reason: str) -> None:
    write = written(cancel(a_task(status), NOON + 2 * HOUR + HOUR / 2))

    [skip] = write.skips
    assert (skip.reason, skip.first, skip.last, skip.count) == (
        reason,
        FIRST,
        NOON + 2 * HOUR,
        2,
    )


def test_canceling_twice_changes_nothing() -> None:
    assert cancel(a_task(TaskStatus.CANCELED, next_run_at=None), NOON) is None


def test_a_completed_task_can_be_canceled() -> None:
    done = a_task(TaskStatus.COMPLETED, next_run_at=None)

    assert written(cancel(done, NOON)).status is TaskStatus.CANCELED


def test_a_task_that_is_stuck_can_be_canceled() -> None:
    write = written(cancel(replace(a_task(definition=stuck())), NOON + 5 * HOUR))

    assert (write.status, list(write.skips)) == (TaskStatus.CANCELED, [])


def test_canceling_after_the_end_of_the_series_passes_over_what_was_left() -> None:
    request = ScheduleRequest(
        expr="every 1h", kind="auto", timezone="UTC", end_at="2026-01-01T14:00:00"
    )
    ended = replace(a_definition(), schedule=compile_schedule(request, now=NOON))

    write = written(cancel(a_task(definition=ended), NOON + 10 * HOUR))

    assert [(skip.first, skip.last) for skip in write.skips] == [(FIRST, NOON + 2 * HOUR)]
