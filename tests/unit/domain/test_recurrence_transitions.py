"""Local times become instants around clock changes: against brute force, and as laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.cron_expand import CronExpander
from ordinaut_mcp.domain.recurrence.cron_text import Cron, parse_cron
from ordinaut_mcp.domain.recurrence.expand import expander_for
from ordinaut_mcp.domain.recurrence.resolve import FixedTimes, LocalTimes, WallClock
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_preview
from ordinaut_mcp.domain.zone import Gap, offset_at, offsets_of, to_instant, to_local, zone
from tests.doubles.slow_expander import slow_between

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Chisinau", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("Europe/Chisinau", datetime(2027, 10, 31, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2027, 10, 2, 15, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2027, 4, 3, 15, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2027, 4, 29, 22, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 21, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2027, 10, 31, 1, tzinfo=UTC)),
    ("America/Nuuk", datetime(2027, 3, 28, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_the_changes_are_where_the_probes_expect_them(name: str, change: datetime) -> None:
    tz = zone(name)
    assert offset_at(change, tz) != offset_at(change - timedelta(seconds=1), tz)


def probe_rule(random: Random, change: datetime) -> tuple[Rule, datetime]:
    """A rule that strikes near a change, and an anchor some days before it."""
    anchor = change.replace(tzinfo=None) - timedelta(
        days=random.randint(2, 9), minutes=random.randint(0, 1_440)
    )
    freq = random.choice((Freq.DAILY, Freq.HOURLY, Freq.MINUTELY))
    interval = random.choice((1, 2, 5)) if freq == Freq.HOURLY else 1
    if freq == Freq.MINUTELY:
        interval = random.choice((7, 15, 30, 45))
    hours = tuple(sorted({random.randint(0, 23) for _ in range(random.randint(1, 8))}))
    minutes = tuple(sorted({random.choice((0, 15, 30, 45)) for _ in range(2)}))
    daily = freq == Freq.DAILY
    return (
        Rule(
            freq=freq,
            interval=interval,
            by_hour=hours if daily else (),
            by_minute=minutes if daily else (),
        ),
        anchor,
    )


def brute_instants(locals_: list[datetime], tz: ZoneInfo, gap: Gap) -> list[datetime]:
    instants = (to_instant(local, tz, gap) for local in locals_)
    return sorted({at for at in instants if at is not None})


@pytest.mark.parametrize("gap", ["shift", "omit"])
def test_seven_hundred_probes_agree_with_resolving_everything_and_sorting(gap: Gap) -> None:
    random = Random(700)
    for number in range(700):
        name, change = CHANGES[number % len(CHANGES)]
        tz, (rule, anchor) = zone(name), probe_rule(random, change)
        after = change + timedelta(seconds=random.randint(-30 * 3_600, 30 * 3_600))
        near = after.replace(tzinfo=None, microsecond=0)
        span = timedelta(hours=52)
        instants = brute_instants(
            slow_between(rule, anchor, start=near - span, end=near + span), tz, gap
        )
        expected = next(at for at in instants if at > after)
        slot = LocalTimes(expander_for(rule, anchor), tz, gap).after(after, Budget())
        assert slot is not None
        assert slot.at == expected, (name, rule, anchor, after)


def matches(cron: Cron, local: datetime) -> bool:
    return (
        local.minute in cron.minutes
        and local.hour in cron.hours
        and local.day in cron.days
        and local.isoweekday() % 7 in cron.weekdays
    )


def brute_cron(cron: Cron, tz: ZoneInfo, *, low: datetime, high: datetime) -> list[datetime]:
    """cronie's rules, minute by minute: what the clock shows, and for fixed times what it skips."""
    runs, at = set[datetime](), low
    while at < high:
        local, before = to_local(at, tz), to_local(at - MINUTE, tz)
        is_repeat = offsets_of(local, tz)[0] != offset_at(at, tz)
        if matches(cron, local) and (cron.is_wildcard or not is_repeat):
            runs.add(at)
        jump = local - before - MINUTE
        if not cron.is_wildcard and timedelta(0) < jump <= timedelta(hours=3):
            skipped = (before + index * MINUTE for index in range(1, int(jump / MINUTE) + 1))
            if any(matches(cron, minute) for minute in skipped):
                runs.add(at)
        at += MINUTE
    return sorted(runs)


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_cron_runs_minute_by_minute_as_cronie_does(name: str, change: datetime) -> None:
    random, tz = Random(name), zone(name)
    low, high = change - timedelta(hours=30), change + timedelta(hours=30)
    for _ in range(4):
        minute = random.choice(("0", "30", "*/15", "5,45", "0-20/10"))
        hour = random.choice(("*", "0-4", "1", "2,3", "23,0", "*/2"))
        cron = parse_cron(f"{minute} {hour} * * *")
        way = (WallClock if cron.is_wildcard else FixedTimes)(CronExpander(cron), tz, "shift")
        found, after = list[datetime](), low - timedelta(seconds=1)
        while (slot := way.after(after, Budget())) and slot.at < high:
            found.append(slot.at)
            after = slot.at
        assert found == brute_cron(cron, tz, low=low, high=high), (cron.fields, name)


@pytest.mark.parametrize("expr", ["FREQ=MINUTELY;INTERVAL=30", "*/30 * * * *", "0,30 0-3 * * *"])
@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_slots_strictly_increase_over_every_change(name: str, change: datetime, expr: str) -> None:
    after = change - timedelta(hours=26)
    schedule = compile_preview(ScheduleRequest(expr=expr, timezone=name), after=after, now=change)
    instants = [slot.at for slot in islice(schedule.slots_after(after), 80)]
    assert instants[0] > after
    assert all(earlier < later for earlier, later in pairwise(instants))


@pytest.mark.parametrize("expr", ["FREQ=HOURLY", "30 * * * *", "15 1-3 * * *", "every 45m"])
@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_the_next_slot_does_not_depend_on_where_the_question_starts(
    name: str, change: datetime, expr: str
) -> None:
    begin = change - timedelta(hours=26)
    schedule = compile_preview(ScheduleRequest(expr=expr, timezone=name), after=begin, now=change)
    listed = [slot.at for slot in islice(schedule.slots_after(begin), 60)]
    for minutes in range(0, 2_000, 37):
        after = begin + timedelta(minutes=minutes, microseconds=1)
        expected = next((at for at in listed if at > after), None)
        occurrence = schedule.next_after(after)
        assert expected is None or (occurrence is not None and occurrence.at == expected)


def test_with_gap_omit_a_fixed_cron_job_leaves_the_skipped_day_out() -> None:
    after = datetime(2027, 3, 13, 17, tzinfo=UTC)
    request = ScheduleRequest(expr="30 2 * * *", timezone="America/New_York", gap="omit")
    slots = islice(compile_preview(request, after=after, now=after).slots_after(after), 2)
    assert [f"{slot.local:%d %H:%M}" for slot in slots] == ["15 02:30", "16 02:30"]
