"""What one request makes of a task: decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ordinaut_mcp.domain.decision import TaskWrite
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.schedule import ScheduleLimits
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus
from ordinaut_mcp.domain.task_request import plain_request
from ordinaut_mcp.errors import Conflict, InvalidInput
from ordinaut_mcp.services.edit import Edit

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEP = {"id": "a", "uses": "value.set", "with": {"value": 1}}


def asked(**given: Any) -> dict[str, Any]:
    whole = {"title": "Probe", "schedule_expr": "0 * * * *", "pipeline": [STEP], **given}
    return plain_request(whole, default_timezone="UTC")


def edit(*, over: Task | None = None, expected: int | None = None, **given: Any) -> Edit:
    return Edit(asked(**given), ScheduleLimits(), over=over, expected=expected)


def decided(change: Edit, before: Task | None, now: datetime) -> TaskWrite:
    write = change(before, now)
    assert write is not None
    return write


def stored(write: TaskWrite, **more: Any) -> Task:
    whole: dict[str, Any] = {
        "id": TaskId(1),
        "owner": "local",
        "key": None,
        "status": write.status,
        "note": None,
        "tags": tuple(write.tags),
        "generation": 1,
        "next_run_at": write.next_run_at,
        "tz_version": write.tz_version,
        "runs_started": write.runs_started,
        "request": write.request,
        "definition": TaskDefinition.from_dict(write.definition),
        "pipeline_digest": write.pipeline_digest,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Task(**{**whole, **more})


def task(now: datetime = NOW, **given: Any) -> Task:
    return stored(decided(edit(**given), None, now))


def test_a_new_task_begins_with_its_first_slot() -> None:
    write = decided(edit(), None, NOW)
    assert (write.status, write.next_run_at, write.skips) == (
        TaskStatus.ACTIVE,
        NOW + HOUR,
        (),
    )


def test_the_same_again_is_no_write() -> None:
    assert edit()(task(), NOW + 5 * HOUR) is None


def test_a_task_without_when_is_refused() -> None:
    request = asked()
    del request["schedule_expr"]
    with pytest.raises(InvalidInput) as refused:
        Edit(request, ScheduleLimits())(None, NOW)
    assert refused.value.field == "schedule_expr"


def test_an_edit_of_the_title_keeps_anchors_place_and_count() -> None:
    before = stored(decided(edit(schedule_expr="every 7m"), None, NOW), runs_started=3)
    write = decided(edit(schedule_expr="every 7m", title="Other"), before, NOW + 5 * HOUR)
    assert write.definition["schedule"] == before.definition.schedule.to_dict()
    assert (write.next_run_at, write.runs_started) == (before.next_run_at, 3)


def test_another_schedule_begins_anew_and_tells_of_what_was_due() -> None:
    write = decided(edit(schedule_expr="30 * * * *"), task(), NOW + 2 * HOUR)
    assert write.next_run_at == NOW + 2.5 * HOUR
    assert [(skip.reason, skip.first, skip.last, skip.count) for skip in write.skips] == [
        ("superseded", NOW + HOUR, NOW + 2 * HOUR, 2)
    ]


def test_what_the_old_schedule_left_out_ahead_is_not_told() -> None:
    before = task(exclude=["2026-11-22T10:00", "2026-11-22T11:00"])
    write = decided(edit(), before, NOW + 2 * HOUR)
    assert [(skip.reason, skip.first, skip.last) for skip in write.skips] == [
        ("superseded", NOW + HOUR, NOW + HOUR),
        ("excluded", NOW + 2 * HOUR, NOW + 2 * HOUR),
    ]


def test_a_series_that_ended_already_is_told_to_its_end() -> None:
    before = task(end_at="2026-11-22T10:00")
    write = decided(edit(schedule_expr="30 * * * *"), before, NOW + 5 * HOUR)
    assert [(skip.first, skip.last, skip.count) for skip in write.skips] == [
        (NOW + HOUR, NOW + 2 * HOUR, 2)
    ]


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELED])
def test_an_ended_task_begins_anew(status: TaskStatus) -> None:
    before = stored(decided(edit(), None, NOW), status=status, next_run_at=None, runs_started=9)
    write = decided(edit(), before, NOW + 5 * HOUR)
    assert (write.status, write.next_run_at) == (TaskStatus.ACTIVE, NOW + 6 * HOUR)
    assert (write.runs_started, write.skips) == (0, ())


def test_a_pause_outlives_edits_that_do_not_speak_of_it() -> None:
    before = stored(decided(edit(), None, NOW), status=TaskStatus.PAUSED, note="why")
    write = decided(edit(title="Other"), before, NOW)
    assert (write.status, write.note) == (TaskStatus.PAUSED, "why")


def test_the_end_of_a_pause_takes_its_note_away() -> None:
    before = stored(decided(edit(), None, NOW), status=TaskStatus.PAUSED, note="why")
    write = decided(edit(paused=False), before, NOW)
    assert (write.status, write.note) == (TaskStatus.ACTIVE, None)


@pytest.mark.parametrize("expected", [None, 1])
def test_an_update_over_what_changed_since_is_refused(expected: int | None) -> None:
    seen = task()
    now_stored = stored(decided(edit(), None, NOW), generation=2)
    with pytest.raises(Conflict) as refused:
        edit(title="Other", over=seen, expected=expected)(now_stored, NOW)
    assert "at generation 2, not 1" in refused.value.message


def test_it_remembers_what_the_task_was() -> None:
    before, change = task(), edit(title="Other")
    change(before, NOW)
    assert change.before is before
