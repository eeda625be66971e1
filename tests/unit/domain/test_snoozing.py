"""What one snooze decides, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.decision import MovedRun, SkippedSlots
from ordinaut_mcp.domain.run import RunId, TaskId
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.snoozing import FARTHEST, SnoozeRequest, snoozer
from ordinaut_mcp.domain.task import Overlap, Policies, Task, TaskDefinition, TaskStatus
from ordinaut_mcp.errors import Conflict, InvalidInput

BORN = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def made(expr: str = "0 9 * * *", *, policies: Policies | None = None, **more: Any) -> Task:
    asked = {name: more.pop(name) for name in ("exclude", "end_at", "timezone") if name in more}
    schedule = compile_schedule(ScheduleRequest(expr=expr, **asked), now=BORN)
    first = next(schedule.slots_after(BORN))
    definition = TaskDefinition(
        title="Probe", schedule=schedule, pipeline=(), policies=policies or Policies()
    )
    whole: dict[str, Any] = {
        "id": TaskId(1),
        "owner": "local",
        "key": None,
        "status": TaskStatus.ACTIVE,
        "note": None,
        "tags": (),
        "generation": 1,
        "next_run_at": first.at,
        "tz_version": "",
        "runs_started": 0,
        "request": {},
        "definition": definition,
        "pipeline_digest": "",
        "created_at": BORN,
        "updated_at": BORN,
    }
    return Task(**{**whole, **more})


def moved(due_at: datetime) -> MovedRun:
    return MovedRun(run_id=RunId(7), scheduled_for=at(22), due_at=due_at)


def test_the_moved_run_keeps_its_slot_and_its_rules() -> None:
    task = made(policies=Policies(priority=8, overlap=Overlap.ALLOW), timezone="Europe/Chisinau")
    write = snoozer(SnoozeRequest(span=HOUR))(task, None, BORN)
    assert write.run is not None
    assert write.run.slot_key == "at:2026-11-23T07:00:00+00:00"
    assert (write.run.scheduled_for, write.run.due_at) == (at(23, 7), at(23, 8))
    assert (write.run.priority, write.run.serial) == (8, False)
    assert (write.last_slot_at, write.next_run_at) == (at(23, 7), at(24, 7))
    assert write.last_slot_local == datetime.fromisoformat("2026-11-23T09:00")


def test_a_moved_run_that_comes_after_the_next_slot_is_left_where_it_is() -> None:
    write = snoozer(SnoozeRequest(span=HOUR))(made(), moved(at(22, 10)), BORN)
    assert write.moved is None
    assert write.run is not None
    assert write.run.scheduled_for == at(22)


def test_a_moved_run_that_comes_with_the_next_slot_is_moved_first() -> None:
    write = snoozer(SnoozeRequest(span=HOUR))(made(), moved(at(22)), BORN)
    assert (write.moved, write.to) == (moved(at(22)), at(22, 10))
    assert write.next_run_at == at(22)


def test_excluded_slots_on_the_way_belong_to_the_snooze() -> None:
    task = made(exclude=("2026-11-23", "2026-11-24"))
    write = snoozer(SnoozeRequest(span=HOUR))(task, None, BORN)
    assert write.skips == [
        SkippedSlots(reason="excluded", first=at(23), last=at(24), count=2, is_exact=True)
    ]
    assert (write.last_slot_at, write.next_run_at) == (at(24), at(25))


def test_the_last_run_that_max_runs_allows_completes_the_task() -> None:
    task = made(policies=Policies(max_runs=3), runs_started=2)
    write = snoozer(SnoozeRequest(span=HOUR))(task, None, BORN)
    assert (write.next_run_at, write.status) == (None, TaskStatus.COMPLETED)


def test_a_completed_task_has_its_moved_run_still() -> None:
    task = made(status=TaskStatus.COMPLETED, next_run_at=None)
    write = snoozer(SnoozeRequest(span=HOUR))(task, moved(at(22, 12)), BORN)
    assert write.to == at(22, 13)
    with pytest.raises(Conflict):
        snoozer(SnoozeRequest(span=HOUR))(task, None, BORN)


def test_leaving_out_the_moved_run_alone_leaves_the_series_as_it_is() -> None:
    task = made(status=TaskStatus.COMPLETED, next_run_at=None)
    write = snoozer(SnoozeRequest(skip=1))(task, moved(at(22, 12)), BORN)
    assert [(skip.reason, skip.first, skip.count) for skip in write.skips] == [
        ("snoozed", at(22), 1)
    ]
    assert (write.next_run_at, write.status) == (None, TaskStatus.COMPLETED)


def test_an_active_task_without_a_next_slot_has_nothing_to_move() -> None:
    with pytest.raises(Conflict) as refused:
        snoozer(SnoozeRequest(span=HOUR))(made(next_run_at=None), None, BORN)
    assert "Nothing of task_1 is to come" in refused.value.message


@given(st.integers(1, 60), st.sets(st.integers(22, 30), max_size=6))
def test_leaving_out_passes_over_just_so_many_that_would_run(
    count: int, excluded: set[int]
) -> None:
    task = made(exclude=tuple(f"2026-11-{day}" for day in excluded))
    write = snoozer(SnoozeRequest(skip=count))(task, None, BORN)
    slots = task.definition.schedule.slots_after(BORN)
    running = [next(slot for slot in slots if slot.excluded is None).at for _ in range(count + 1)]
    assert write.next_run_at == running[-1]
    left_out, *others = write.skips
    assert (left_out.first, left_out.last, left_out.count) == (running[0], running[-2], count)
    assert {skip.reason for skip in others} <= {"excluded"}
    told = sum(skip.count for skip in write.skips)
    assert told == (running[-1] - at(22)) // timedelta(days=1)


@given(st.integers(1, int(FARTHEST / timedelta(seconds=1)) - 3600), st.integers(0, 600))
def test_for_so_long_counts_from_the_occurrence_or_from_now(span: int, late: int) -> None:
    now = at(22) + timedelta(seconds=late)
    write = snoozer(SnoozeRequest(span=timedelta(seconds=span)))(made(), None, now)
    assert write.to == now + timedelta(seconds=span)


def test_a_year_is_the_farthest() -> None:
    to = snoozer(SnoozeRequest(until=BORN + FARTHEST))(made(), None, BORN).to
    assert to == BORN + FARTHEST
    with pytest.raises(InvalidInput):
        snoozer(SnoozeRequest(until=BORN + FARTHEST + HOUR))(made(), None, BORN)
