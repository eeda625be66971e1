"""A preview looks at a schedule as if it had been asked for at another time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_preview
from ordinaut_mcp.errors import InvalidInput

NOW = datetime(2026, 11, 22, 10, 20, 30, tzinfo=UTC)


def local_times(schedule: Schedule, count: int, after: datetime = NOW) -> list[str]:
    return [f"{slot.local:%Y-%m-%dT%H:%M}" for slot in islice(schedule.slots_after(after), count)]


def preview(expr: str, after: datetime | None = None, *, start_at: str | None = None) -> Schedule:
    request = ScheduleRequest(expr=expr, timezone="Europe/Chisinau", start_at=start_at)
    return compile_preview(request, after=after, now=NOW)


def test_a_preview_looks_at_the_past_and_far_ahead() -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert local_times(preview("0 9 * * *", past), 1, past) == ["2020-01-01T09:00"]
    assert local_times(preview("2019-05-05T05:00"), 9, past) == []
    assert local_times(preview("2126-01-01T00:00"), 9) == ["2126-01-01T00:00"]
    assert local_times(preview("FREQ=SECONDLY", past), 1, past) == ["2020-01-01T02:00"]


def test_a_preview_anchors_rules_and_intervals_at_the_midnight_of_after() -> None:
    after = datetime(2026, 6, 1, 12, 7, tzinfo=UTC)
    assert local_times(preview("every 45m", after), 1, after) == ["2026-06-01T15:45"]
    assert preview("FREQ=DAILY", after).anchor == datetime.fromisoformat("2026-06-01T00:00")
    assert local_times(preview("in 20m", after), 1, after) == ["2026-06-01T15:27"]


def test_a_preview_of_a_rule_that_ended_is_empty() -> None:
    assert local_times(preview("FREQ=DAILY;UNTIL=20200101T000000Z"), 5) == []
    assert local_times(preview("FREQ=DAILY;COUNT=2", start_at="2020-01-01T00:00"), 5) == []


def test_a_preview_counts_as_if_created_at_after() -> None:
    assert len(local_times(preview("FREQ=DAILY;BYHOUR=9;COUNT=5"), 9)) == 5


def test_a_preview_of_the_impossible_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        preview("0 0 30 2 *")
    assert refused.value.code == "never_fires"
