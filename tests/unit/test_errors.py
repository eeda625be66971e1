"""One shape for every error, and the nearest word."""

from __future__ import annotations

import pytest

from ordinaut_mcp.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotAvailable,
    NotFound,
    OrdinautError,
    Unavailable,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (OrdinautError, "failed"),
        (InvalidInput, "invalid"),
        (NotFound, "not_found"),
        (Conflict, "conflict"),
        (NotAllowed, "insufficient_scope"),
        (NotAvailable, "not_available"),
        (Unavailable, "unavailable"),
    ],
)
def test_each_kind_has_a_code_of_its_own_unless_one_is_given(
    kind: type[OrdinautError], code: str
) -> None:
    assert kind("x").as_dict() == {"code": code, "message": "x"}
    assert kind("x", code="other").code == "other"
    assert issubclass(kind, OrdinautError)


def test_an_error_tells_all_that_it_was_given() -> None:
    allowed = ("1", "2")
    error = InvalidInput("x", field="a[0].b", hint="do y", allowed=allowed, retry_after=2.5)
    assert error.as_dict() == {
        "code": "invalid",
        "message": "x",
        "field": "a[0].b",
        "hint": "do y",
        "allowed": ["1", "2"],
        "retry_after": 2.5,
    }
    assert str(error) == "x"


def test_nothing_allowed_is_not_the_same_as_nothing_said() -> None:
    assert NotFound("x", allowed=[]).as_dict()["allowed"] == []


def test_the_nearest_word_is_named_or_none() -> None:
    known = ["schedule_expr", "schedule_kind", "title"]
    assert did_you_mean("schedule_exp", known) == "Did you mean 'schedule_expr'?"
    assert did_you_mean("zzz", known) is None
