"""Conditions: behaviour.md 16, and what is missing, null or wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ordinaut_mcp.domain.condition import Condition, ConditionError
from ordinaut_mcp.errors import InvalidInput

CONTEXT: dict[str, Any] = {
    "params": {"count": 5, "threshold": 20, "zero": 0, "off": False, "nothing": None, "empty": []},
    "steps": {
        "weather": {"temp": 25, "units": "C"},
        "calendar": {"events": [{"title": "Meeting"}, {"title": "Call"}, {"title": "Gym"}]},
        "approval": {"status": "approved", "final": False},
    },
    "now": "2026-11-22T08:30:00+02:00",
}


def holds(text: str) -> bool:
    return Condition.parse(text, "pipeline[0].if").holds(CONTEXT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.count > `3`", True),
        ("params.count > 3", True),
        ("params.count > 10", False),
        ("params.count > -5", True),
        ("steps.weather.temp > params.threshold", True),
        ("length(steps.calendar.events) > 1", True),
        ("${steps.approval.status == 'approved'}", True),
        ("  ${ steps.approval.status == 'denied' } ", False),
        ('steps.approval.status == "approved"', True),
        ("steps.approval.final == false", True),
        ("params.nothing == null", True),
        ("steps.calendar.events[?title == 'Gym']", True),
        ("steps.calendar.events[?title == 'Tea']", False),
        ("!steps.approval.final", True),
        ("!steps.approval.status", False),
        ("true", True),
        ("params.zero", True),
        ("params.off", False),
        ("params.empty", False),
        ("now+1h > now", True),
    ],
)
def test_a_condition_is_read_as_people_write_it(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "params.gone",
        "params.gone > 3",
        "params.gone < 3",
        "params.gone == 'x'",
        "params.gone != 'x'",
        "3 < params.gone",
        "params.gone == params.gone",
        "params.gone != null",
        "steps.skipped.status == 'ok'",
    ],
)
def test_what_is_missing_makes_a_comparison_false(text: str) -> None:
    assert holds(text) is False


def test_missing_and_null_are_the_same_to_a_literal_null() -> None:
    assert holds("steps.skipped == null")
    assert holds("params.city != `null`") is False


@pytest.mark.parametrize(
    "text", ["length(params.gone)", "params.empty[::0]", "length(params.zero)"]
)
def test_what_cannot_be_decided_is_an_error_and_never_false(text: str) -> None:
    with pytest.raises(ConditionError) as caught:
        holds(text)
    assert caught.value.code == "condition_error"
    assert caught.value.field == "pipeline[0].if"
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_condition"),
        ("${}", "invalid_condition"),
        ("invalid..expression", "invalid_condition"),
        ("${params.a", "invalid_condition"),
        (True, "wrong_type"),
        (None, "wrong_type"),
        ("a" * 1_025, "too_long"),
    ],
)
def test_a_malformed_condition_is_refused_with_its_field(text: object, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Condition.parse(text, "pipeline[0].if")
    assert (caught.value.code, caught.value.field) == (code, "pipeline[0].if")


def test_a_condition_tells_what_it_reads() -> None:
    condition = Condition.parse("steps.a.b > params.c", "if")
    assert {str(each) for each in condition.references} == {"steps.a", "params.c"}
