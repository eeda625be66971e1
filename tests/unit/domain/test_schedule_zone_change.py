"""When tzdata changes under a stored schedule, nothing that ran by its local time runs again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_schedule

BORN = datetime(2026, 11, 22, tzinfo=UTC)


def moved_west(expr: str) -> Schedule:
    """A schedule of Chisinau after a release of tzdata in which it keeps Berlin's time."""
    request = ScheduleRequest(expr=expr, timezone="Europe/Chisinau", start_at="2026-11-22T00:00")
    stored = compile_schedule(request, now=BORN).to_dict()
    return Schedule.from_dict(stored | {"timezone": "Europe/Berlin"})


@pytest.mark.parametrize("expr", ["0 9 * * *", "FREQ=DAILY;BYHOUR=9", "0 9,10 * * *"])
def test_a_local_time_that_ran_is_not_named_again(expr: str) -> None:
    fired, fired_at = datetime.fromisoformat("2026-11-23T09:00"), BORN + timedelta(hours=31)
    schedule = moved_west(expr)
    plain = schedule.next_after(fired_at)
    assert plain is not None
    assert plain.local == fired
    following = schedule.next_unfired(fired_at, fired=fired)
    assert following is not None
    hour = "23T10:00" if "10" in expr else "24T09:00"
    assert following.local == datetime.fromisoformat(f"2026-11-{hour}")


def test_a_time_in_a_gap_that_ran_is_not_named_again() -> None:
    schedule = moved_west("FREQ=DAILY;BYHOUR=2;BYMINUTE=30")
    fired = datetime.fromisoformat("2027-03-28T02:30")
    following = schedule.next_unfired(datetime(2027, 3, 28, 0, 45, tzinfo=UTC), fired=fired)
    assert following is not None
    assert following.local == fired + timedelta(days=1)


def test_a_second_passing_that_ran_by_its_local_time_is_left_out() -> None:
    schedule = moved_west("30 * * * *")
    fired = datetime.fromisoformat("2027-10-31T02:30")
    following = schedule.next_unfired(datetime(2027, 10, 31, 0, 31, tzinfo=UTC), fired=fired)
    assert following is not None
    assert following.local == datetime.fromisoformat("2027-10-31T03:30")


def test_elapsed_time_has_no_local_time_to_repeat() -> None:
    schedule = moved_west("every 1h")
    after = BORN + timedelta(hours=3, minutes=5)
    fired = datetime.fromisoformat("2026-11-22T05:00")
    assert schedule.next_unfired(after, fired=fired) == schedule.next_after(after)
