"""Bad schedules: each refused with the code and field that the case file names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ordinaut_mcp.domain.schedule import ScheduleLimits, ScheduleRequest, compile_schedule
from ordinaut_mcp.errors import InvalidInput
from tests.unit.domain.recurrence_cases import NOW, bad_schedules, generated

LIMITS = ScheduleLimits(min_interval=timedelta(seconds=60))
CASES = bad_schedules()
REFUSED = [case for case in CASES if case["expect"]["outcome"] == "reject"]
TAKEN = [case for case in CASES if case["expect"]["outcome"] == "accept"]


def request_of(case: dict[str, Any]) -> ScheduleRequest:
    arguments = case["input"]["args"]
    return ScheduleRequest(
        expr=generated(arguments["schedule_expr"]),
        kind=arguments["schedule_kind"],
        timezone=arguments["timezone"],
        start_at=arguments.get("start_at"),
    )


def test_every_case_either_must_be_refused_or_must_be_taken() -> None:
    assert (len(REFUSED), len(TAKEN)) == (54, 2)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_it_is_refused_with_its_code_field_and_a_way_out(case: dict[str, Any]) -> None:
    codes = case["expect"]["error"]
    with pytest.raises(InvalidInput) as refused:
        compile_schedule(request_of(case), now=NOW, limits=LIMITS)
    assert refused.value.code in ([codes] if isinstance(codes, str) else codes)
    assert refused.value.field == case["expect"]["field"]
    assert refused.value.hint
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case["id"])
def test_what_is_right_is_taken(case: dict[str, Any]) -> None:
    schedule = compile_schedule(request_of(case), now=NOW, limits=LIMITS)
    assert schedule.next_after(NOW) is not None
