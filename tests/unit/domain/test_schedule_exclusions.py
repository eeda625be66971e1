"""Excluded dates and times: still slots, flagged, and never run."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_schedule

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def compiled(expr: str, *exclude: str, timezone: str = "Europe/Chisinau") -> Schedule:
    request = ScheduleRequest(expr=expr, timezone=timezone, exclude=exclude)
    return compile_schedule(request, now=NOW)


def test_an_excluded_date_is_passed_over_and_still_listed() -> None:
    schedule = compiled("0 9 * * *", "2026-11-23", "2026-11-24")
    occurrence = schedule.next_after(NOW)
    assert occurrence is not None
    assert occurrence.local == datetime.fromisoformat("2026-11-25T09:00")
    assert [slot.excluded for slot in islice(schedule.slots_after(NOW), 3)] == [
        "2026-11-23 is excluded",
        "2026-11-24 is excluded",
        None,
    ]


def test_an_excluded_time_hits_one_slot() -> None:
    schedule = compiled("0 9,17 * * *", "2026-11-23T09:00")
    assert [slot.excluded for slot in islice(schedule.slots_after(NOW), 4)] == [
        None,
        "2026-11-23 09:00 is excluded",
        None,
        None,
    ]


def test_an_excluded_instant_is_the_same_slot_in_any_zone() -> None:
    schedule = compiled("0 9 * * *", "2026-11-23T07:00:00Z")
    occurrence = schedule.next_after(NOW)
    assert occurrence is not None
    assert occurrence.local.day == 24


def test_a_slot_that_a_gap_moves_over_midnight_is_excluded_by_its_own_date() -> None:
    schedule = compiled("FREQ=DAILY;BYHOUR=23;BYMINUTE=30", "2027-03-27", timezone="America/Nuuk")
    before = datetime(2027, 3, 27, 12, tzinfo=UTC)
    occurrence = schedule.next_after(before)
    assert occurrence is not None
    assert occurrence.local == datetime.fromisoformat("2027-03-28T23:30")
    excluded = schedule.next_excluded_after(before)
    assert excluded is not None
    assert excluded.at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_a_day_that_follows_an_excluded_one_keeps_its_first_slot() -> None:
    schedule = compiled("0 0 * * *", "2027-04-29", timezone="Africa/Cairo")
    occurrence = schedule.next_after(datetime(2027, 4, 28, 21, 59, tzinfo=UTC))
    assert occurrence is not None
    assert occurrence.local == datetime.fromisoformat("2027-04-30T00:00")
    assert occurrence.at == datetime(2027, 4, 29, 22, tzinfo=UTC)


def test_the_next_excluded_slot_is_found_whatever_lies_before_it() -> None:
    schedule = compiled("every 1m", "2026-11-30", "2026-11-25T08:00")
    first = schedule.next_excluded_after(NOW)
    assert first is not None
    assert first.local == datetime.fromisoformat("2026-11-25T08:00")
    second = schedule.next_excluded_after(first.at)
    assert second is not None
    assert second.local == datetime.fromisoformat("2026-11-30T00:00")
    assert schedule.next_excluded_after(datetime(2026, 12, 1, tzinfo=UTC)) is None


def test_an_exclusion_that_no_slot_meets_excludes_nothing() -> None:
    weekly = compiled("0 9 * * 1", "2026-11-24", "2026-11-23T10:00")
    assert weekly.next_excluded_after(NOW) is None
    single = compiled("2026-12-24T18:00", "2026-12-25")
    assert single.next_excluded_after(NOW) is None


def test_an_excluded_day_is_known_also_from_its_middle() -> None:
    schedule = compiled("0 * * * *", "2026-11-23")
    middle = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    excluded = schedule.next_excluded_after(middle)
    assert excluded is not None
    assert excluded.at == datetime(2026, 11, 23, 13, tzinfo=UTC)
