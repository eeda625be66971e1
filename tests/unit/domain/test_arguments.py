"""The raw arguments of a call: nothing is bent, dropped or guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.arguments import checked_arguments, field_path
from ordinaut_mcp.errors import InvalidInput

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {
            "type": "string",
            "minLength": 1,
            "maxLength": 5,
            "description": "What it is called.",
        },
        "priority": {"type": "integer", "minimum": 1, "maximum": 9},
        "rest": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        "at_most": {"type": "number", "maximum": 3},
        "at_least": {"type": "number", "minimum": 3},
        "paused": {"type": "boolean"},
        "overlap": {"type": "string", "enum": ["skip", "queue", "allow"]},
        "key": {"type": "string", "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "many": {"type": "array", "minItems": 2},
        "params": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "mixed": {"anyOf": [{"type": "object"}, {"type": "string"}]},
        "pipeline": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"uses": {"type": "string"}},
                "required": ["uses"],
                "additionalProperties": False,
            },
        },
        "payload": {"type": "object"},
        "even": {"type": "integer", "multipleOf": 2},
    },
    "required": ["title"],
    "additionalProperties": False,
}


def refused(**given: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as error:
        checked_arguments(SCHEMA, {"title": "a", **given})
    return error.value


def test_what_fits_is_given_back_as_it_is() -> None:
    given: dict[str, Any] = {"title": "a", "priority": 9, "tags": ["x"], "rest": 0.5}

    assert checked_arguments(SCHEMA, given) == given


def test_an_unknown_argument_is_told_with_the_nearest_name_and_all_names() -> None:
    error = refused(prioriti=5)

    assert (error.code, error.field) == ("unknown_field", "prioriti")
    assert error.hint == "Did you mean 'priority'?"
    assert "overlap" in (error.allowed or [])


def test_an_unknown_argument_like_none_of_ours_is_to_be_left_out() -> None:
    error = refused(**{"z" * 500: 1})

    assert error.hint == "Leave it out."
    assert len(error.field or "") == 61


@pytest.mark.parametrize(
    ("given", "code", "rule"),
    [
        ({"priority": "5"}, "wrong_type", "must be a whole number"),
        ({"priority": 5.5}, "wrong_type", "must be a whole number"),
        ({"priority": True}, "wrong_type", "must be a whole number"),
        ({"priority": 0}, "out_of_range", "must be from 1 to 9"),
        ({"priority": 10}, "out_of_range", "must be from 1 to 9"),
        ({"at_most": 4}, "out_of_range", "must be at most 3"),
        ({"at_least": 2}, "out_of_range", "must be at least 3"),
        ({"rest": "soon"}, "wrong_type", "must be a number or null"),
        ({"paused": "yes"}, "wrong_type", "must be true or false"),
        ({"paused": 1}, "wrong_type", "must be true or false"),
        ({"title": ""}, "too_short", "must not be empty"),
        ({"title": "abcdef"}, "too_long", "may have at most 5 characters"),
        ({"title": 7}, "wrong_type", "must be a text"),
        ({"key": "A b"}, "invalid_text", "must look like ^[a-z]+$"),
        ({"tags": []}, "too_short", "must not be empty"),
        ({"tags": ["a", "b", "c"]}, "too_long", "may have at most 2 entries"),
        ({"many": [1]}, "too_short", "needs at least 2"),
        ({"tags": "a"}, "wrong_type", "must be a list"),
        ({"even": 3}, "invalid", "does not fit 'multipleOf'"),
    ],
)
def test_a_value_that_does_not_fit_names_its_argument_and_the_rule(
    given: dict[str, Any], code: str, rule: str
) -> None:
    error = refused(**given)

    [name] = given
    assert (error.code, error.field, error.allowed) == (code, name, [rule])
    assert error.message == f"'{name}' {rule}."


def test_a_word_that_is_no_choice_is_told_with_the_nearest_one() -> None:
    error = refused(overlap="skp")

    assert (error.code, error.field) == ("not_allowed", "overlap")
    assert error.allowed == ["skip", "queue", "allow"]
    assert error.hint == "Did you mean 'skip'?"


def test_a_fault_inside_a_list_names_its_place() -> None:
    assert refused(tags=["a", 7]).field == "tags[1]"
    assert refused(pipeline=[{"uses": "a.b"}, {"uses": 1}]).field == "pipeline[1].uses"


def test_what_is_needed_is_told_with_its_description() -> None:
    with pytest.raises(InvalidInput) as error:
        checked_arguments(SCHEMA, {})

    assert (error.value.code, error.value.field) == ("missing", "title")
    assert error.value.hint == "What it is called."


def test_a_null_for_what_is_needed_is_a_wrong_type() -> None:
    with pytest.raises(InvalidInput) as error:
        checked_arguments(SCHEMA, {"title": None})

    assert (error.value.code, error.value.field) == ("wrong_type", "title")


def test_an_explicit_null_is_kept_for_those_who_take_parts_away() -> None:
    given = {"title": "a", "tags": None, "priority": None}

    assert checked_arguments(SCHEMA, given) == given


@given(value=st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers(-9, 9)))
def test_an_object_that_arrives_as_a_json_text_is_opened(value: dict[str, int]) -> None:
    checked = checked_arguments(SCHEMA, {"title": "a", "params": json.dumps(value)})

    assert checked["params"] == value


def test_a_list_that_arrives_as_a_json_text_is_opened() -> None:
    assert checked_arguments(SCHEMA, {"title": "a", "tags": '["x"]'})["tags"] == ["x"]


@pytest.mark.parametrize("text", ["not json", "5", '"text"', "{", "null"])
def test_a_text_that_holds_no_list_or_object_stays_a_text(text: str) -> None:
    assert refused(tags=text).code == "wrong_type"


def test_where_a_text_is_wanted_json_stays_a_text() -> None:
    assert checked_arguments(SCHEMA, {"title": "[1]", "mixed": '{"a": 1}'}) == {
        "title": "[1]",
        "mixed": '{"a": 1}',
    }


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"a": float("nan")}, "invalid_number"),
        ({"a": "\0"}, "invalid_text"),
        ({"a": 2**64}, "invalid_number"),
        ({"": 1}, "invalid_key"),
    ],
)
def test_what_cannot_be_stored_is_refused_at_the_door(params: dict[str, Any], code: str) -> None:
    error = refused(params=params)

    assert error.code == code
    assert (error.field or "").startswith("params")


def test_a_payload_is_held_to_the_same_outside_of_its_pipeline() -> None:
    error = refused(payload={"params": {"a": "\0"}})
    assert (error.code, error.field) == ("invalid_text", "payload.params.a")

    # The pipeline's own reader refuses it and names the step.
    steps = {"pipeline": [{"id": "a", "with": {"text": "\0"}}]}
    assert checked_arguments(SCHEMA, {"title": "a", "payload": steps})["payload"] == steps


def test_the_same_call_always_names_the_same_fault_first() -> None:
    fields = {refused(priority=99, overlap="x", tags=[]).field for _ in range(20)}

    assert len(fields) == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["pipeline", 0, "with", "x"], "pipeline[0].with.x"),
        (["a", 1, 2], "a[1][2]"),
    ],
)
def test_a_place_is_written_as_people_do(place: list[str | int], expected: str) -> None:
    assert field_path(place) == expected
