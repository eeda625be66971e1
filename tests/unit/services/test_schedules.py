"""Previews: the next occurrences, whether more come, and what may surprise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ordinaut_mcp.domain.schedule import ScheduleRequest
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.services.schedules import Preview, preview

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def look(expr: str, *, after: str | None = None, count: int = 5, **more: object) -> Preview:
    request = ScheduleRequest(expr=expr, timezone="Europe/Chisinau", **more)  # pyright: ignore[reportArgumentType]
    return preview(request, after=after, count=count, now=NOW)


def days(found: Preview) -> list[str]:
    return [f"{slot.local:%d %H:%M}" for slot in found.occurrences]


def test_the_next_occurrences_come_after_now() -> None:
    found = look("0 10,11 * * *", count=3)
    assert (days(found), found.complete) == (["22 11:00", "23 10:00", "23 11:00"], False)


def test_another_after_is_local_to_the_zone() -> None:
    assert days(look("0 * * * *", after="2026-12-24T17:30", count=1)) == ["24 18:00"]


def test_after_is_strict() -> None:
    assert days(look("0 * * * *", after="2026-12-24T18:00", count=1)) == ["24 19:00"]


@pytest.mark.parametrize(("count", "complete"), [(2, False), (3, True), (4, True)])
def test_a_series_that_ends_with_what_is_shown_is_complete(count: int, *, complete: bool) -> None:
    found = look("FREQ=DAILY;COUNT=3;BYHOUR=12;BYMINUTE=0", count=count)
    assert (len(found.occurrences), found.complete) == (min(count, 3), complete)


def test_a_rule_that_has_ended_is_empty_and_complete() -> None:
    found = look("2020-01-01T09:00")
    assert (days(found), found.complete) == ([], True)


def test_what_is_excluded_is_not_shown() -> None:
    assert days(look("0 9 * * *", count=2, exclude=("2026-11-23",))) == ["24 09:00", "25 09:00"]


def test_a_dense_rule_with_excluded_days_costs_no_step_for_each_slot() -> None:
    excluded = tuple(f"2026-11-{day}" for day in range(22, 30))
    assert days(look("FREQ=SECONDLY", count=1, exclude=excluded)) == ["30 00:00"]


def test_a_clock_change_is_noted() -> None:
    found = look("30 3 * * *", after="2027-03-27T12:00", count=1)
    assert found.occurrences[0].note is not None
    assert found.warnings != []


def test_an_after_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        look("0 9 * * *", after="soon")
    assert (refused.value.code, refused.value.field) == ("invalid_instant", "after")
