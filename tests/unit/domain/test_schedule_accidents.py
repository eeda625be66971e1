"""What happened to other schedulers, replayed here: each must not happen to ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ordinaut_mcp.domain.occurrence import MisfirePolicy, account
from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_schedule
from ordinaut_mcp.errors import InvalidInput

BORN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def compiled(
    expr: str,
    now: datetime = BORN,
    *,
    timezone: str = "Europe/Chisinau",
    start_at: str | None = None,
) -> Schedule:
    return compile_schedule(
        ScheduleRequest(expr=expr, timezone=timezone, start_at=start_at), now=now
    )


def test_a_daily_task_does_not_fire_twice_for_several_windows() -> None:
    """claude-code#82517: every window computes the slot for itself; all name the same instant."""
    stored = compiled("0 9 * * *").to_dict()
    windows = [Schedule.from_dict(stored) for _ in range(4)]
    slots = {window.next_after(BORN + timedelta(seconds=n)) for n, window in enumerate(windows)}
    assert len(slots) == 1


def test_a_single_time_in_the_past_does_not_roll_to_next_year() -> None:
    """claude-code#82360."""
    with pytest.raises(InvalidInput) as refused:
        compiled("2026-11-22T11:59")
    assert refused.value.code == "in_the_past"


def test_a_slot_is_not_consumed_without_a_run_or_a_reason() -> None:
    """codex#35602."""
    schedule = compiled("0 * * * *")
    due = datetime(2026, 11, 22, 11, tzinfo=UTC)
    for policy in (MisfirePolicy(), MisfirePolicy(misfire="skip")):
        done = account(schedule, due_from=due, now=due + timedelta(minutes=5), policy=policy)
        assert len(done.runs) + sum(row.count for row in done.skipped) == 1


def test_a_restart_does_not_replay_a_backlog() -> None:
    """openclaw#46287."""
    schedule = compiled("*/5 * * * *")
    due, now = datetime(2026, 11, 22, 10, 5, tzinfo=UTC), BORN + timedelta(days=3, minutes=2)
    done = account(schedule, due_from=due, now=now, policy=MisfirePolicy())
    assert [run.at for run in done.runs] == [BORN + timedelta(days=3)]
    assert [row.count for row in done.skipped] == [3 * 288 - 1]
    assert done.next_at is not None
    again = account(schedule, due_from=done.next_at, now=now, policy=MisfirePolicy())
    assert (again.runs, again.skipped, again.next_at) == ((), (), done.next_at)


def test_a_friday_task_missed_over_the_weekend_does_not_run_on_sunday() -> None:
    """hermes#111212: more than half a day late is too late."""
    friday = datetime(2026, 11, 27, 7, tzinfo=UTC)
    sunday = friday + timedelta(days=2)
    done = account(compiled("0 9 * * 5"), due_from=friday, now=sunday, policy=MisfirePolicy())
    assert done.runs == ()
    assert [(row.reason, row.first) for row in done.skipped] == [("late", friday)]
    assert done.next_at == friday + timedelta(days=7)


def test_an_excluded_slot_does_not_take_the_next_one_with_it() -> None:
    """hermes-agent#107485."""
    request = ScheduleRequest(expr="0 9 * * *", exclude=("2026-11-23",))
    schedule = compile_schedule(request, now=BORN)
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)
    done = account(schedule, due_from=monday, now=monday, policy=MisfirePolicy())
    assert (done.runs, [row.reason for row in done.skipped]) == ((), ["excluded"])
    assert done.next_at == monday + timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "utc"), [("2027-03-26", "06:30"), ("2027-03-29", "05:30"), ("2027-11-01", "06:30")]
)
def test_weekdays_at_half_past_eight_stay_at_half_past_eight(day: str, utc: str) -> None:
    """The first Ordinaut fired them at 09:30 after a clock change."""
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    occurrence = compiled("30 8 * * 1-5").next_after(midnight)
    assert occurrence is not None
    assert f"{occurrence.at:%Y-%m-%d %H:%M}" == f"{day} {utc}"
    assert f"{occurrence.local:%H:%M}" == "08:30"


def test_a_question_inside_the_repeated_hour_never_answers_with_the_past() -> None:
    """dateutil names 05:45Z for a daily 01:45 in New York when asked at 06:10Z."""
    schedule = compiled(
        "FREQ=DAILY",
        datetime(2026, 10, 30, tzinfo=UTC),
        timezone="America/New_York",
        start_at="2026-10-30T01:45",
    )
    asked = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)
    occurrence = schedule.next_after(asked)
    assert occurrence is not None
    assert occurrence.at == datetime(2026, 11, 2, 6, 45, tzinfo=UTC)
