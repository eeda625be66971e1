"""What becomes of slots that are due, late, excluded or slept through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from ordinaut_mcp.domain.occurrence import (
    LOOKED_AT,
    Accounting,
    MisfirePolicy,
    Stretch,
    account,
    jitter,
)
from ordinaut_mcp.domain.schedule import Kind, Schedule, ScheduleRequest, compile_schedule

BORN = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATEST = MisfirePolicy(max_lateness=None)
ALL = MisfirePolicy(misfire="all", max_lateness=None)
SKIP = MisfirePolicy(misfire="skip", max_lateness=None)


def compiled(expr: str, **more: Any) -> Schedule:
    return compile_schedule(ScheduleRequest(expr=expr, **more), now=BORN)


def accounted(
    schedule: Schedule,
    now: datetime,
    policy: MisfirePolicy,
    *,
    due_from: datetime | None = None,
) -> Accounting:
    first = schedule.next_after(BORN)
    assert first is not None
    return account(schedule, due_from=due_from or first.at, now=now, policy=policy)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return BORN + timedelta(hours=hour, minutes=minute, seconds=second)


def late(first: datetime, last: datetime, count: int, *, is_exact: bool = True) -> Stretch:
    return Stretch(reason="late", first=first, last=last, count=count, count_is_exact=is_exact)


def starts(accounting: Accounting) -> list[datetime]:
    return [run.at for run in accounting.runs]


@pytest.mark.parametrize("policy", [LATEST, ALL, SKIP])
def test_a_slot_on_time_runs_under_every_policy(policy: MisfirePolicy) -> None:
    done = accounted(compiled("0 * * * *"), at(1) + timedelta(milliseconds=300), policy)
    assert (starts(done), done.skipped, done.next_at) == ([at(1)], (), at(2))


@pytest.mark.parametrize(
    ("policy", "runs", "skipped"),
    [
        (LATEST, [at(3)], (late(at(1), at(2), 2),)),
        (ALL, [at(1), at(2), at(3)], ()),
        (SKIP, [], (late(at(1), at(3), 3),)),
    ],
)
def test_a_runtime_stopped_over_three_slots(
    policy: MisfirePolicy, runs: list[datetime], skipped: tuple[Stretch, ...]
) -> None:
    done = accounted(compiled("0 * * * *"), at(3, 30), policy)
    assert (starts(done), done.skipped, done.next_at) == (runs, skipped, at(4))


@pytest.mark.parametrize(
    ("policy", "runs", "skipped"),
    [
        (LATEST, [at(2), at(3)], (late(at(1), at(1), 1),)),
        (ALL, [at(1), at(2), at(3)], ()),
        (SKIP, [at(3)], (late(at(1), at(2), 2),)),
    ],
)
def test_waking_exactly_at_a_slot_runs_it_beside_what_was_missed(
    policy: MisfirePolicy, runs: list[datetime], skipped: tuple[Stretch, ...]
) -> None:
    done = accounted(compiled("0 * * * *"), at(3), policy)
    assert (starts(done), done.skipped, done.next_at) == (runs, skipped, at(4))


@pytest.mark.parametrize("misfire", ["latest", "all"])
def test_what_is_later_than_allowed_never_runs(misfire: Literal["latest", "all"]) -> None:
    policy = MisfirePolicy(misfire=misfire, max_lateness=timedelta(minutes=20))
    done = accounted(compiled("0 * * * *"), at(3, 30), policy)
    assert (starts(done), done.skipped) == ([], (late(at(1), at(3), 3),))


def test_the_longest_lateness_is_still_allowed() -> None:
    policy = MisfirePolicy(misfire="all", max_lateness=timedelta(minutes=90))
    done = accounted(compiled("0 * * * *"), at(3, 30), policy)
    assert (starts(done), done.skipped) == ([at(2), at(3)], (late(at(1), at(1), 1),))


def test_catching_up_never_bursts_beyond_its_bound() -> None:
    done = accounted(compiled("every 1m"), at(24, 0, 30), ALL)
    assert len(done.runs) == 100
    assert starts(done)[-1] == at(24)
    assert done.skipped == (late(at(0, 1), at(22, 20), 1_340),)


def test_a_single_time_that_passed_is_run_late() -> None:
    """Behaviour 6: never silently dropped."""
    schedule = compiled("2026-11-22T03:00")
    policy = MisfirePolicy.default_for(Kind.ONCE)
    done = accounted(schedule, at(240), policy)
    assert (starts(done), done.skipped, done.next_at) == ([at(3)], (), None)


def test_a_single_time_that_passed_is_recorded_as_late_when_the_policy_says_so() -> None:
    done = accounted(compiled("2026-11-22T03:00"), at(240), SKIP)
    assert (starts(done), done.skipped, done.next_at) == ([], (late(at(3), at(3), 1),), None)


def test_recurring_schedules_forget_after_half_a_day() -> None:
    assert MisfirePolicy.default_for(Kind.CRON) == MisfirePolicy(max_lateness=timedelta(hours=12))


def test_nothing_is_due_yet() -> None:
    done = accounted(compiled("0 * * * *"), at(0, 30), LATEST)
    assert (done.runs, done.skipped, done.next_at) == ((), (), at(1))


def test_a_clock_set_back_names_nothing_again() -> None:
    done = accounted(compiled("0 * * * *"), at(0, 30), LATEST, due_from=at(5))
    assert (done.runs, done.skipped, done.next_at) == ((), (), at(5))


def test_a_clock_set_forward_is_one_stretch() -> None:
    done = accounted(compiled("0 9 * * *"), BORN + 400 * DAY, MisfirePolicy())
    assert starts(done) == []
    assert done.skipped == (late(at(9), at(9) + 399 * DAY, 400),)


def test_an_excluded_slot_is_recorded_where_it_lies() -> None:
    schedule = compiled("0 * * * *", exclude=("2026-11-22T02:00",))
    done = accounted(schedule, at(4, 30), LATEST)
    excluded = Stretch(reason="excluded", first=at(2), last=at(2), count=1)
    assert starts(done) == [at(4)]
    assert done.skipped == (late(at(1), at(1), 1), excluded, late(at(3), at(3), 1))


def test_excluded_slots_ahead_are_recorded_on_the_way_to_the_next_run() -> None:
    schedule = compiled("0 9 * * *", exclude=("2026-11-23", "2026-11-24"))
    done = accounted(schedule, at(9), LATEST)
    excluded = Stretch(reason="excluded", first=at(33), last=at(57), count=2)
    assert (starts(done), done.skipped, done.next_at) == ([at(9)], (excluded,), at(81))


def test_the_last_slots_may_be_excluded_ones() -> None:
    schedule = compiled("0 9 * * *", exclude=("2026-11-23",), end_at="2026-11-23")
    done = accounted(schedule, at(9), LATEST)
    excluded = Stretch(reason="excluded", first=at(33), last=at(33), count=1)
    assert (starts(done), done.skipped, done.next_at) == ([at(9)], (excluded,), None)


def test_the_newest_that_runs_is_not_an_excluded_one() -> None:
    schedule = compiled("0 * * * *", exclude=("2026-11-22T03:00", "2026-11-22T02:00"))
    done = accounted(schedule, at(3, 30), LATEST)
    excluded = Stretch(reason="excluded", first=at(2), last=at(3), count=2)
    assert (starts(done), done.skipped, done.next_at) == ([at(1)], (excluded,), at(4))


def test_every_second_asleep_for_a_year_is_one_exact_row() -> None:
    done = accounted(compiled("every 1s"), BORN + 365 * DAY, MisfirePolicy())
    assert starts(done) == [BORN + 365 * DAY - timedelta(seconds=second) for second in (2, 1, 0)]
    stretch = done.skipped[0]
    assert (stretch.count, stretch.count_is_exact) == (365 * 86_400 - 3, True)
    assert stretch.last == BORN + 365 * DAY - timedelta(seconds=3)


def test_every_minute_of_a_rule_asleep_for_a_year_is_one_row_with_at_least_a_count() -> None:
    done = accounted(compiled("FREQ=MINUTELY"), BORN + 365 * DAY, SKIP)
    (stretch,) = done.skipped
    assert (stretch.first, stretch.last) == (at(0, 1), BORN + 365 * DAY - timedelta(minutes=1))
    assert (stretch.count > LOOKED_AT, stretch.count_is_exact) == (True, False)
    assert starts(done) == [BORN + 365 * DAY]


def test_a_burst_before_a_long_quiet_time_is_found() -> None:
    schedule = compiled("FREQ=SECONDLY;BYMONTH=12;BYMONTHDAY=1;BYHOUR=0")
    noon_of_june = datetime(2027, 6, 1, 12, tzinfo=UTC)
    done = accounted(schedule, noon_of_june, ALL)
    assert len(done.runs) == 100
    assert starts(done)[-1] == datetime(2026, 12, 1, 0, 59, 59, tzinfo=UTC)


def test_a_long_excluded_stretch_of_a_dense_schedule_is_one_row() -> None:
    schedule = compiled("every 1s", exclude=("2026-11-23",))
    done = accounted(schedule, at(72, 0, 0) + timedelta(milliseconds=500), SKIP)
    reasons = [(stretch.reason, stretch.count) for stretch in done.skipped]
    assert reasons == [("late", 86_399), ("excluded", 86_400), ("late", 86_400)]


def test_after_the_end_nothing_is_counted() -> None:
    schedule = compiled("every 1s", end_at="2026-11-22T02:00:00")
    done = accounted(schedule, at(50), SKIP)
    assert done.skipped == (late(at(0, 0, 1), at(2), 7_200),)
    assert done.next_at is None


@pytest.mark.parametrize("wrong", [{"max_lateness": timedelta(seconds=-1)}, {"catch_up_limit": 0}])
def test_a_policy_makes_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        MisfirePolicy(**wrong)


def test_jitter_is_the_same_for_the_same_slot_and_differs_between_slots() -> None:
    spread = [jitter(12, at(hour), 10 * HOUR, HOUR) for hour in range(50)]
    assert spread == [jitter(12, at(hour), 10 * HOUR, HOUR) for hour in range(50)]
    assert all(timedelta(0) <= delay < HOUR for delay in spread)
    assert len(set(spread)) == 50
    assert spread != [jitter(13, at(hour), 10 * HOUR, HOUR) for hour in range(50)]


@pytest.mark.parametrize(
    ("most", "gap"),
    [(timedelta(0), HOUR), (HOUR, timedelta(0)), (timedelta(microseconds=1), None)],
)
def test_no_room_means_no_jitter(most: timedelta, gap: timedelta | None) -> None:
    assert jitter(12, at(1), most, gap) == timedelta(0)


def test_jitter_without_a_next_slot_uses_all_its_room() -> None:
    spread = [jitter(number, at(1), HOUR, None) for number in range(200)]
    assert max(spread) > HOUR * 0.9
    assert min(spread) < HOUR * 0.1
