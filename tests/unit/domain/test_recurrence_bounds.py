"""Every search is bounded: counted in steps, never in seconds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ordinaut_mcp.domain.recurrence.budget import SEARCH_STEPS, Budget
from ordinaut_mcp.domain.recurrence.rule_text import parse_rule
from ordinaut_mcp.domain.schedule import (
    Schedule,
    ScheduleRequest,
    compile_preview,
    compile_schedule,
)
from ordinaut_mcp.errors import InvalidInput
from tests.unit.domain.random_rules import random_anchor, random_rule

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)

OLD_RULES = [
    "FREQ=SECONDLY",
    "FREQ=SECONDLY;INTERVAL=61",
    "FREQ=MINUTELY",
    "FREQ=MINUTELY;INTERVAL=7",
    "FREQ=HOURLY;INTERVAL=7",
    "FREQ=DAILY",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,WE,FR",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
]


def steps(schedule: Schedule, after: datetime) -> int:
    budget = Budget()
    schedule.next_after(after, budget)
    return budget.used


@pytest.mark.parametrize("expr", OLD_RULES)
def test_the_age_of_the_anchor_costs_no_steps(expr: str) -> None:
    used = list[int]()
    for start in ("2026-11-01T00:00", "1970-01-01T00:00", "1900-01-01T00:00"):
        request = ScheduleRequest(expr=expr, start_at=start)
        schedule = compile_schedule(request, now=NOW)
        used.append(max(steps(schedule, NOW + timedelta(hours=7 * n)) for n in range(50)))
    assert max(used) <= 20


@pytest.mark.parametrize(
    "expr",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MINUTELY;BYMONTH=12;BYMONTHDAY=31;BYHOUR=23;BYMINUTE=59",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;BYMONTH=2",
        "0 0 29 2 */7",
    ],
)
def test_rare_dates_are_found_in_some_hundred_steps(expr: str) -> None:
    schedule = compile_schedule(ScheduleRequest(expr=expr), now=NOW)
    assert steps(schedule, NOW) <= 1_200


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        ("FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", "never_fires"),
        ("FREQ=YEARLY;BYYEARDAY=60;BYMONTH=7", "never_fires"),
        ("FREQ=MINUTELY;BYYEARDAY=60;BYMONTH=7", "never_fires"),
        ("FREQ=DAILY;BYMONTHDAY=31;BYMONTH=9", "never_fires"),
        ("FREQ=MONTHLY;BYMONTHDAY=8;BYDAY=1MO", "never_fires"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never_fires"),
        ("FREQ=HOURLY;INTERVAL=2;BYHOUR=9", "never_fires"),
        ("FREQ=MINUTELY;INTERVAL=30;BYMINUTE=15", "never_fires"),
        ("FREQ=SECONDLY;INTERVAL=60;BYSECOND=30", "never_fires"),
        ("FREQ=SECONDLY;INTERVAL=86399;BYHOUR=2;BYMINUTE=3;BYSECOND=5", "too_complex"),
        ("FREQ=HOURLY;INTERVAL=168;BYDAY=MO", "too_complex"),
        ("0 0 31 4,6,9,11 *", "never_fires"),
    ],
)
def test_what_never_fires_is_refused_within_the_budget(expr: str, code: str) -> None:
    request = ScheduleRequest(expr=expr, start_at="2026-11-22T00:00")
    with pytest.raises(InvalidInput) as refused:
        compile_schedule(request, now=NOW)
    assert refused.value.code == code


def test_a_search_ends_at_its_budget_and_says_so() -> None:
    request = ScheduleRequest(expr="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;INTERVAL=97")
    schedule = compile_preview(request, after=NOW, now=NOW)
    with pytest.raises(InvalidInput, match="within 5 steps") as refused:
        schedule.next_after(NOW, Budget(5))
    assert (refused.value.code, refused.value.field) == ("too_complex", "schedule_expr")


def searched(text: str, anchor: datetime, budget: Budget) -> str:
    """How the search for a rule's next occurrence ends."""
    try:
        parse_rule(text)
        request = ScheduleRequest(expr=text, start_at=anchor.isoformat())
        occurrence = compile_preview(request, now=NOW).next_after(NOW, budget)
    except InvalidInput as refused:
        return refused.code
    return "found" if occurrence else "ended"


def test_no_random_rule_takes_more_steps_than_the_budget() -> None:
    random, ends = Random(11), Counter[str]()
    for _ in range(1_000):
        budget = Budget()
        ends[searched(random_rule(random), random_anchor(random), budget)] += 1
        assert budget.used <= SEARCH_STEPS + 1
    assert set(ends) <= {"found", "ended", "invalid_schedule", "never_fires", "too_complex"}
    assert ends["found"] > 500


def test_a_thousand_excluded_days_of_a_dense_schedule_cost_one_step_each_at_most() -> None:
    days = tuple(
        f"{datetime.fromisoformat('2026-11-23T00:00') + timedelta(days=number):%Y-%m-%d}"
        for number in range(1_000)
    )
    schedule = compile_schedule(ScheduleRequest(expr="every 1s", exclude=days), now=NOW)
    budget = Budget()
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    occurrence = schedule.next_after(midnight - timedelta(seconds=1), budget)
    assert occurrence is not None
    assert (occurrence.at, budget.used <= 10) == (midnight + timedelta(days=1_000), True)


def test_a_count_is_closed_once_and_then_costs_nothing() -> None:
    request = ScheduleRequest(expr="FREQ=MINUTELY;COUNT=10000", start_at="2026-11-22T00:00")
    schedule = compile_schedule(request, now=NOW)
    assert schedule.last == datetime.fromisoformat("2026-11-28T22:39")
    assert steps(schedule, NOW) <= 3


def test_a_count_beyond_the_bound_is_refused() -> None:
    with pytest.raises(InvalidInput, match="COUNT is at most 10000") as refused:
        compile_schedule(ScheduleRequest(expr="FREQ=MINUTELY;COUNT=10001"), now=NOW)
    assert refused.value.code == "too_complex"
