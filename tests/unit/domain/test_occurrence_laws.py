"""The planner's law: every slot is a run, in one skipped stretch, or still to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from random import Random

import pytest

from ordinaut_mcp.domain.occurrence import Accounting, Misfire, MisfirePolicy, account
from ordinaut_mcp.domain.schedule import (
    Occurrence,
    Schedule,
    ScheduleRequest,
    compile_schedule,
)

BORN = datetime(2027, 3, 27, 12, tzinfo=UTC)
EXPRS = ["every 7m", "*/10 * * * *", "30 2,3 * * *", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=2,3,9"]
EXCLUDED = ("2027-03-29", "2027-03-28T09:00", "2027-03-30T00:00")
ZONES = ["Europe/Chisinau", "America/New_York", "UTC"]


def slots_up_to(schedule: Schedule, end: datetime) -> list[Occurrence]:
    return list(takewhile(lambda slot: slot.at <= end, schedule.slots_after(BORN)))


def owners(slot: Occurrence, accountings: list[Accounting]) -> list[str]:
    """Everything that claims the slot."""
    claims = list[str]()
    for done in accountings:
        claims += ["run" for run in done.runs if run.at == slot.at]
        claims += [row.reason for row in done.skipped if row.first <= slot.at <= row.last]
    return claims


def lived(
    schedule: Schedule, random: Random, *, policy: MisfirePolicy, end: datetime
) -> list[Accounting]:
    """Wake at random moments, sometimes after a long sleep or a step back, until the end."""
    first = schedule.next_after(BORN)
    assert first is not None
    opening = account(schedule, due_from=BORN, now=BORN, policy=policy)
    accountings, due, now = [opening], first.at, BORN
    while now < end:
        now += timedelta(minutes=random.choice((1, 7, 45, 600, 2_000, -30)))
        done = account(schedule, due_from=due, now=now, policy=policy)
        accountings.append(done)
        assert done.next_at is not None
        assert done.next_at >= due
        due = done.next_at
    return accountings


@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
@pytest.mark.parametrize("expr", EXPRS)
def test_every_slot_of_a_life_is_claimed_exactly_once_and_in_order(
    expr: str, misfire: Misfire
) -> None:
    for zone_name in ZONES:
        random = Random(f"{expr}{misfire}{zone_name}")
        request = ScheduleRequest(expr=expr, timezone=zone_name, exclude=EXCLUDED)
        schedule = compile_schedule(request, now=BORN)
        policy = MisfirePolicy(misfire=misfire, max_lateness=timedelta(hours=6), catch_up_limit=9)
        accountings = lived(schedule, random, policy=policy, end=BORN + timedelta(days=6))
        done_until = accountings[-1].next_at
        assert done_until is not None
        for slot in slots_up_to(schedule, done_until - timedelta(seconds=1)):
            claims = owners(slot, accountings)
            assert len(claims) == 1, (slot, claims)
            assert (claims == ["excluded"]) == (slot.excluded is not None)
        ran = [run.at for done in accountings for run in done.runs]
        assert ran == sorted(set(ran))


@pytest.mark.parametrize("expr", EXPRS)
def test_the_rows_count_what_lies_in_them(expr: str) -> None:
    schedule = compile_schedule(
        ScheduleRequest(expr=expr, timezone="Europe/Chisinau", exclude=EXCLUDED), now=BORN
    )
    end = BORN + timedelta(days=5)
    first = schedule.next_after(BORN)
    assert first is not None
    policy = MisfirePolicy(misfire="all", max_lateness=None, catch_up_limit=3)
    done = account(schedule, due_from=first.at, now=end, policy=policy)
    slots = [slot.at for slot in slots_up_to(schedule, end)]
    for row in done.skipped:
        if row.last <= end:
            inside = [at for at in slots if row.first <= at <= row.last]
            assert (len(inside), row.count_is_exact) == (row.count, True)


def test_a_year_asleep_over_clock_changes_has_no_slot_twice() -> None:
    """A simulated year: woken every ten days, each slot once and in order."""
    for name in ("Europe/Chisinau", "Australia/Lord_Howe", "Pacific/Apia"):
        born = datetime(2011, 6, 1, tzinfo=UTC)
        schedule = compile_schedule(
            ScheduleRequest(expr="FREQ=DAILY;BYHOUR=2;BYMINUTE=15", timezone=name), now=born
        )
        policy = MisfirePolicy(misfire="all", max_lateness=None)
        first = schedule.next_after(born)
        assert first is not None
        due, ran = first.at, list[datetime]()
        for number in range(37):
            now = born + timedelta(days=10 * number)
            done = account(schedule, due_from=due, now=now, policy=policy)
            ran += [run.local for run in done.runs]
            assert done.next_at is not None
            due = done.next_at
        days = [born.replace(tzinfo=None) + timedelta(days=number) for number in range(360)]
        missing = [day for day in days[1:] if day.date() not in {local.date() for local in ran}]
        assert ran == sorted(set(ran))
        # Apia had no 30 December: its slot is that of the 31st.
        assert missing == (
            [datetime.fromisoformat("2011-12-30T00:00")] if name == "Pacific/Apia" else []
        )
