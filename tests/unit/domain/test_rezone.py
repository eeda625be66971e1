"""The next slot after another release of tzdata, for any zone and any shift of its offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.decision import StaleTask
from ordinaut_mcp.domain.rezone import recompute
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.task import TaskDefinition, TaskStatus
from ordinaut_mcp.domain.zone import to_local, zone

BORN = datetime(2027, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONES = ["Europe/Chisinau", "America/New_York", "Australia/Lord_Howe", "UTC"]
EXPRS = ["0 9 * * *", "*/20 * * * *", "FREQ=HOURLY;BYMINUTE=5", "FREQ=SECONDLY;INTERVAL=50"]


def stale(expr: str, *, timezone: str = "Europe/Chisinau", **more: Any) -> StaleTask:
    request = ScheduleRequest(expr=expr, timezone=timezone, **more.pop("asked", {}))
    schedule = compile_schedule(request, now=BORN)
    definition = TaskDefinition(title="Probe", schedule=schedule, pipeline=()).to_dict()
    whole: dict[str, Any] = {
        "id": TaskId(1),
        "definition": definition,
        "next_run_at": next(schedule.slots_after(BORN)).at,
        "last_slot_at": None,
        "last_slot_local": None,
        "revised_at": BORN,
    }
    return StaleTask(**{**whole, **more})


@given(
    st.sampled_from(EXPRS),
    st.sampled_from(ZONES),
    st.integers(0, 60 * 24 * 3600),
    st.sampled_from([-1, 0, 1]),
)
def test_the_next_slot_is_the_first_whose_local_time_is_new(
    expr: str, timezone: str, passed: int, shift: int
) -> None:
    """The old release was so many hours off; the local time is what was promised."""
    instant = BORN + timedelta(seconds=passed)
    last = to_local(instant, zone(timezone)).replace(second=0, microsecond=0)
    task = stale(
        expr,
        timezone=timezone,
        next_run_at=instant + HOUR * shift,
        last_slot_at=instant + HOUR * shift,
        last_slot_local=last,
    )
    found = recompute(task).next_run_at
    schedule = compile_schedule(ScheduleRequest(expr=expr, timezone=timezone), now=BORN)
    slots = islice(schedule.slots_after(instant - 4 * HOUR), 1000)
    assert found == next(slot.at for slot in slots if to_local(slot.at, schedule.tz) > last)


def test_without_a_slot_told_it_is_the_first_since_the_revision() -> None:
    found = recompute(stale("0 9 * * *", next_run_at=BORN + 8 * HOUR))
    assert found.next_run_at == BORN + 7 * HOUR
    assert (found.status, found.note) == (None, None)


def test_a_slot_that_was_due_before_the_revision_counts() -> None:
    due = BORN + 7 * HOUR
    found = recompute(stale("0 9 * * *", next_run_at=due, revised_at=due + HOUR))
    assert found.next_run_at == due


@pytest.mark.parametrize("expr", ["every 7m", "in 3 hours"])
def test_what_lies_on_the_utc_line_stays(expr: str) -> None:
    task = stale(expr)
    assert recompute(task).next_run_at == task.next_run_at


def test_a_series_that_has_nothing_to_come_any_more_is_parked() -> None:
    """The old release had its last slot to come, by this one it is over."""
    last = datetime.fromisoformat("2027-03-02T09:00")
    task = stale(
        "0 9 * * *",
        asked={"end_at": "2027-03-02T09:00"},
        last_slot_at=BORN,
        last_slot_local=last,
    )
    found = recompute(task)
    assert (found.status, found.next_run_at) == (TaskStatus.PAUSED, task.next_run_at)
    assert "none of its times is to come any more" in (found.note or "")


def test_a_zone_that_is_gone_is_parked() -> None:
    task = stale("0 9 * * *")
    gone = {**task.definition["schedule"], "timezone": "Europe/Atlantis"}
    found = recompute(
        StaleTask(
            id=task.id,
            definition={**task.definition, "schedule": gone},
            next_run_at=task.next_run_at,
            last_slot_at=None,
            last_slot_local=None,
            revised_at=BORN,
        )
    )
    assert (found.status, found.next_run_at) == (TaskStatus.PAUSED, task.next_run_at)
    assert "'Europe/Atlantis'" in (found.note or "")


def test_a_dense_rule_over_a_gap_goes_on_right_after_it() -> None:
    """03:00 to 04:00 does not exist; the old release had a slot in there."""
    task = stale(
        "FREQ=SECONDLY",
        last_slot_at=datetime(2027, 3, 28, 1, 10, tzinfo=UTC),
        last_slot_local=datetime.fromisoformat("2027-03-28T03:10"),
    )
    assert recompute(task).next_run_at == datetime(2027, 3, 28, 1, tzinfo=UTC)
