"""The 177 known cases: what each schedule names next, to the second and offset."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any

import pytest

from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_preview
from ordinaut_mcp.domain.zone import TZDATA_VERSION, zone
from ordinaut_mcp.errors import InvalidInput
from tests.unit.domain.recurrence_cases import NOW, as_expression, recurrence_cases

CASES = recurrence_cases()
IMPOSSIBLE = [case for case in CASES if case.get("impossible")]
POSSIBLE = [case for case in CASES if not case.get("impossible")]
OMITTING = [case for case in CASES if case.get("expected_if_gap_omitted")]


def compiled(case: dict[str, Any], gap: str | None = None) -> Schedule:
    request = ScheduleRequest(
        expr=as_expression(case),
        kind=case["kind"],
        timezone=case["tz"],
        start_at=case["dtstart"],
        gap=gap,
    )
    return compile_preview(request, after=datetime.fromisoformat(case["after"]), now=NOW)


def named(schedule: Schedule, case: dict[str, Any], count: int) -> list[str]:
    slots = schedule.slots_after(datetime.fromisoformat(case["after"]))
    tz = zone(case["tz"])
    return [slot.at.astimezone(tz).isoformat() for slot in islice(slots, count)]


def test_there_are_177_cases_and_the_tzdata_they_were_written_for() -> None:
    assert (len(CASES), TZDATA_VERSION) == (177, "2026f")


@pytest.mark.parametrize("case", POSSIBLE, ids=lambda case: case["id"])
def test_the_next_occurrences_are_the_known_ones(case: dict[str, Any]) -> None:
    expected = case["expected"]
    wanted = len(expected) + (1 if case["complete"] else 0)
    assert named(compiled(case), case, wanted) == expected


@pytest.mark.parametrize("case", POSSIBLE, ids=lambda case: case["id"])
def test_a_schedule_read_back_from_storage_names_the_same(case: dict[str, Any]) -> None:
    stored = Schedule.from_dict(compiled(case).to_dict())
    expected = case["expected"]
    assert named(stored, case, len(expected)) == expected


@pytest.mark.parametrize("case", OMITTING, ids=lambda case: case["id"])
def test_with_gap_omit_what_does_not_exist_falls_out(case: dict[str, Any]) -> None:
    expected = case["expected_if_gap_omitted"]
    assert named(compiled(case, "omit"), case, len(expected)) == expected


@pytest.mark.parametrize("case", IMPOSSIBLE, ids=lambda case: case["id"])
def test_what_can_never_fire_is_refused_with_the_reason(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        compiled(case)
    assert refused.value.code in {"never_fires", "invalid_schedule"}
    assert refused.value.field == "schedule_expr"
    assert refused.value.hint
