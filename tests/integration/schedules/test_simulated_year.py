"""A year in seconds, with an injected clock: every slot once, in order, over every clock change.

What is expected is found by brute force: from a slow expander of local times, or by looking at
every quarter of an hour of the year. Only the zone database is shared with the product.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ordinaut_mcp.domain.decision import DueTask, NewRun, SkippedSlots
from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.recurrence.rule_text import parse_rule_set
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.task import Overlap, Policies, TaskDefinition
from ordinaut_mcp.domain.zone import zone
from tests.doubles.slow_expander import slow_between
from tests.integration.schedules.world import instant

YEARS = [
    ("Europe/Chisinau", "2026-11-01"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2027-01-01"),
    ("Pacific/Apia", "2011-03-01"),
    ("Africa/Casablanca", "2026-01-01"),
]
RULES = ["FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=15,45", "FREQ=HOURLY;INTERVAL=3", "FREQ=WEEKLY"]
YEAR = timedelta(days=365)
QUARTER = timedelta(minutes=15)
NAPS = [0.02, 0.3, 1, 5, 24, 24, 24, 70, 200]
"""Hours between two looks of the scheduler."""


@dataclass(slots=True)
class Life:
    """What a task did in its year."""

    runs: list[NewRun] = field(default_factory=list[NewRun])
    skips: list[SkippedSlots] = field(default_factory=list[SkippedSlots])


def lived(
    expr: str, zone_name: str, born: datetime, *, naps: Sequence[float] = NAPS, **request: Any
) -> Life:
    """A scheduler looks at the task now and then, for a year; no run overlaps another."""
    random, life = Random(f"{expr} {zone_name}"), Life()
    asked = ScheduleRequest(expr=expr, timezone=zone_name, **request)
    schedule = compile_schedule(asked, now=born)
    policies = Policies(misfire="all", max_lateness=timedelta(days=2), overlap=Overlap.ALLOW)
    definition = TaskDefinition(
        title="Year", schedule=schedule, pipeline=(), policies=policies
    ).to_dict()
    first = next(schedule.slots_after(born))
    due, now = first.at, born
    while now < born + YEAR:
        now += timedelta(hours=random.choice(naps))
        if due > now:
            continue
        task = DueTask(
            generation=1,
            id=TaskId(1),
            definition=definition,
            next_run_at=due,
            runs_started=0,
            live_runs=0,
        )
        done = account_for(task, now)
        life.runs += done.runs
        life.skips += done.skips
        assert done.next_run_at is not None
        assert done.next_run_at > now
        due = done.next_run_at
    return life


def assert_all_told(life: Life, slots: Sequence[datetime], excluded: Sequence[datetime]) -> None:
    """Every slot is one run, or lies in one skipped stretch of its reason; and nothing else is."""
    ran = [run.scheduled_for for run in life.runs]
    assert ran == sorted(ran)
    told = [(at, "run") for at in ran]
    for one in life.skips:
        inside = slots[bisect_left(slots, one.first) : bisect_right(slots, one.last)]
        assert (len(inside), one.is_exact) == (one.count, True), one
        told += [(at, one.reason) for at in inside]
    last = max(at for at, _ in told)
    assert [at for at, _ in sorted(told)] == slots[: bisect_right(slots, last)]
    assert {at for at, why in told if why == "excluded"} == {at for at in excluded if at <= last}


def by_rule(expr: str, zone_name: str, born: datetime) -> list[datetime]:
    """The rule's local times, each read once by RFC 5545 section 3.3.5."""
    tz = zone(zone_name)
    anchor = born.astimezone(tz).replace(hour=0, minute=0, tzinfo=None)
    rule = parse_rule_set(expr).rule
    local = slow_between(rule, anchor, start=anchor, end=anchor + YEAR + timedelta(days=20))
    instants = {time.replace(tzinfo=tz, fold=0).astimezone(UTC) for time in local}
    return sorted(at for at in instants if at > born)


def quarters(born: datetime, tz: ZoneInfo) -> Iterator[tuple[datetime, datetime, datetime]]:
    """Every quarter of an hour: the instant, its local time, and the local time before it."""
    at = born
    while at < born + YEAR + timedelta(days=20):
        at += QUARTER
        before = (at - QUARTER).astimezone(tz)
        yield at, at.astimezone(tz), before


def by_fixed_cron(zone_name: str, born: datetime, *, hour: int, minute: int) -> list[datetime]:
    """cronie's fixed times: not in the second pass; skipped ones right after the gap."""
    found = list[datetime]()
    for at, local, before in quarters(born, zone(zone_name)):
        plain, earlier = local.replace(tzinfo=None), before.replace(tzinfo=None)
        wanted = plain.replace(hour=hour, minute=minute)
        in_gap = timedelta(0) < plain - earlier - QUARTER <= timedelta(hours=3)
        if (plain == wanted and not local.fold) or (in_gap and earlier < wanted < plain):
            found.append(at)
    return found


@pytest.mark.parametrize("expr", RULES)
@pytest.mark.parametrize(("zone_name", "day"), YEARS)
def test_a_year_of_a_rule(zone_name: str, day: str, expr: str) -> None:
    born = instant(f"{day}T00:00")
    life = lived(expr, zone_name, born)
    assert_all_told(life, by_rule(expr, zone_name, born), [])
    assert len(life.runs) > 20


@pytest.mark.parametrize(("zone_name", "day"), YEARS)
def test_a_year_of_fixed_times_of_cron(zone_name: str, day: str) -> None:
    born = instant(f"{day}T00:00")
    life = lived("30 2 * * *", zone_name, born)
    assert_all_told(life, by_fixed_cron(zone_name, born, hour=2, minute=30), [])


@pytest.mark.parametrize(("zone_name", "day"), YEARS)
def test_a_year_of_cron_that_follows_the_clock(zone_name: str, day: str) -> None:
    born = instant(f"{day}T00:00")
    life = lived("*/30 * * * *", zone_name, born)
    ticks = [at for at, local, _ in quarters(born, zone(zone_name)) if local.minute in {0, 30}]
    assert_all_told(life, ticks, [])


@pytest.mark.parametrize(("zone_name", "day"), YEARS)
def test_a_year_of_an_interval(zone_name: str, day: str) -> None:
    born = instant(f"{day}T00:00")
    life = lived("every 45m", zone_name, born)
    count = int((YEAR + timedelta(days=20)) / (3 * QUARTER))
    assert_all_told(life, [born + 3 * QUARTER * (n + 1) for n in range(count)], [])


@pytest.mark.parametrize(("zone_name", "day"), YEARS)
def test_a_year_with_days_left_out(zone_name: str, day: str) -> None:
    born = instant(f"{day}T00:00")
    days = [f"{born + timedelta(days=n):%Y-%m-%d}" for n in (20, 21, 22, 100, 303, 304)]
    life = lived(RULES[0], zone_name, born, exclude=tuple(days))
    slots = by_rule(RULES[0], zone_name, born)
    tz = zone(zone_name)
    excluded = [at for at in slots if f"{at.astimezone(tz):%Y-%m-%d}" in days]
    assert_all_told(life, slots, excluded)
    assert {skip.reason for skip in life.skips} == {"late", "excluded"}


def test_the_day_that_apia_skipped_is_no_slot_of_its_own() -> None:
    born = instant("2011-12-28T00:00")
    life = lived("FREQ=DAILY;BYHOUR=9", "Pacific/Apia", born, naps=[1])
    runs = [run.scheduled_for for run in life.runs][:3]
    assert [f"{at:%d %H:%M}" for at in runs] == ["28 19:00", "29 19:00", "30 19:00"]
    assert [f"{at.astimezone(zone('Pacific/Apia')):%d}" for at in runs] == ["28", "29", "31"]
