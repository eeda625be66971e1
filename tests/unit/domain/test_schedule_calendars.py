"""Named holiday calendars: what they exclude, and what names there are."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from ordinaut_mcp.domain.occurrence import MisfirePolicy, account
from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_schedule
from ordinaut_mcp.errors import InvalidInput

NOW = datetime(2026, 12, 23, 12, tzinfo=UTC)


def compiled(expr: str, calendar: str, *, zone: str = "America/New_York") -> Schedule:
    request = ScheduleRequest(expr=expr, timezone=zone, exclude_calendar=calendar)
    return compile_schedule(request, now=NOW)


def test_holidays_are_flagged_with_their_name_and_do_not_run() -> None:
    schedule = compiled("0 9 * * 1-5", "US")

    slots = list(islice(schedule.slots_after(NOW), 3))

    assert [(f"{slot.local:%a %d}", slot.excluded) for slot in slots] == [
        ("Wed 23", None),
        ("Thu 24", None),
        ("Fri 25", "2026-12-25 is a holiday: Christmas Day"),
    ]


def test_the_next_occurrence_jumps_over_a_holiday() -> None:
    schedule = compiled("0 9 * * 1-5", "US")
    eve = datetime(2026, 12, 24, 20, tzinfo=UTC)

    following = schedule.next_after(eve)

    assert following is not None
    assert following.local == datetime(2026, 12, 28, 9)  # noqa: DTZ001 — naive local time


def test_a_dense_rule_jumps_over_a_whole_holiday_in_few_steps() -> None:
    schedule = compiled("* * * * *", "US")
    before = datetime(2026, 12, 25, 4, 59, 30, tzinfo=UTC)

    following = schedule.next_after(before)

    assert following is not None
    assert following.at == datetime(2026, 12, 26, 5, tzinfo=UTC)


def test_an_excluded_holiday_is_accounted_for_as_excluded() -> None:
    schedule = compiled("0 9 * * *", "US")
    christmas = datetime(2026, 12, 25, 14, tzinfo=UTC)

    due = account(
        schedule,
        due_from=christmas,
        now=datetime(2026, 12, 26, 14, tzinfo=UTC),
        policy=MisfirePolicy(),
    )

    assert [(one.reason, one.count) for one in due.skipped] == [("excluded", 1)]
    assert [f"{slot.local:%d %H}" for slot in due.runs] == ["26 09"]


@pytest.mark.parametrize("calendar", ["MD", "US-CA", "XNYS", "DE-BY"])
def test_countries_their_parts_and_exchanges_are_known(calendar: str) -> None:
    schedule = compiled("0 9 * * *", calendar, zone="UTC")

    flagged = [slot for slot in islice(schedule.slots_after(NOW), 366) if slot.excluded]

    assert flagged
    assert Schedule.from_dict(schedule.to_dict()) == schedule


@pytest.mark.parametrize("calendar", ["XX", "US-XX", "US-", "md", "XNY", "US CA"])
def test_an_unknown_calendar_is_refused_with_the_way_to_say_it(calendar: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compiled("0 9 * * *", calendar)

    assert (refused.value.code, refused.value.field) == ("unknown_calendar", "exclude_calendar")
    assert refused.value.hint is not None


def test_a_mistyped_calendar_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        compiled("0 9 * * *", "XNY")

    assert refused.value.hint == "Did you mean 'XNYS'?"
