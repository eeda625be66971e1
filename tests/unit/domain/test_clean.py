"""The gate for JSON: what passes is what was sent, what is refused is named by its path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.clean import (
    Limits,
    clean_json,
    field_path,
    json_size,
    one_line,
    strict_loads,
    whole_number,
)
from ordinaut_mcp.errors import InvalidInput

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                min_size=1,
                max_size=4,
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def refusal(act: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as caught:
        act()
    return caught.value.code, caught.value.field


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@settings(deadline=None)
@given(JSON)
def test_plain_json_passes_unchanged(value: Any) -> None:
    assert clean_json(value, field="params") is value


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({"a": [0, 1, 2, float("nan")]}, "invalid_number", "params.a[3]"),
        ({"a": float("inf")}, "invalid_number", "params.a"),
        ({"a": 2**63}, "invalid_number", "params.a"),
        ({"a": -(2**63)}, "invalid_number", "params.a"),
        ({"a": "x\0"}, "invalid_text", "params.a"),
        ({"a": ["\ud800"]}, "invalid_text", "params.a[0]"),
        ({"x\0": 1}, "invalid_key", "params"),
        ({"": 1}, "invalid_key", "params"),
        ({"a": {"b": {1: 2}}}, "wrong_type", "params.a.b"),
        ({"a": {1, 2}}, "wrong_type", "params.a"),
        ({"a": b"x"}, "wrong_type", "params.a"),
        ({"a": {str(key): 1 for key in range(1_001)}}, "too_many_keys", "params.a"),
        ({"a": nested(33)}, "too_deep", "params"),
        ({"a": [[0] * 5_000, [0] * 5_000]}, "too_large", "params"),
        ({"a": "x" * 262_144}, "too_large", "params"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_cannot_be_stored_is_refused_where_it_stands(
    value: Any, code: str, field: str
) -> None:
    assert refusal(lambda: clean_json(value, field="params")) == (code, field)


def test_the_largest_that_is_allowed_passes() -> None:
    assert clean_json(nested(32), field="params") == nested(32)
    assert clean_json(2**63 - 1, field="params") == 2**63 - 1
    assert len(clean_json({str(key): 1 for key in range(1_000)}, field="params")) == 1_000


def test_ten_thousand_levels_are_refused_without_recursion() -> None:
    assert refusal(lambda: clean_json(nested(10_000), field="params"))[0] == "too_deep"


def test_keys_count_towards_the_size() -> None:
    limits = Limits(size=50)
    assert refusal(lambda: clean_json({"k" * 60: 1}, field="p", limits=limits))[0] == "too_large"


def test_a_very_long_path_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        clean_json({"k" * 300: float("nan")}, field="params")
    assert len(caught.value.message) < 300


@settings(deadline=None)
@given(JSON)
def test_the_counted_size_is_never_below_the_written_one(value: Any) -> None:
    written = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    assert json_size(value, 10**9) >= written


def test_counting_stops_soon_after_the_limit() -> None:
    shared: list[Any] = ["x" * 1_000] * 100
    assert json_size([shared] * 1_000_000, 5_000) < 10_000_000


def test_a_path_is_written_as_people_write_it() -> None:
    assert field_path("params", ("a", 3, "b")) == "params.a[3].b"
    assert field_path("", ("a", 0)) == "a[0]"


def test_raw_json_is_read_like_json() -> None:
    assert strict_loads('{"a": [1, -0.0, 1e3, "\\ud83d\\ude00"]}') == {"a": [1, -0.0, 1e3, "😀"]}
    assert strict_loads(b'{"a": true}') == {"a": True}


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "parse_error", "(body)"),
        ("{", "parse_error", "(body)"),
        (b"\xff", "parse_error", "(body)"),
        ("[" * 200_001, "parse_error", "(body)"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "duplicate_key", "a.b"),
        ('{"a": [NaN]}', "invalid_number", "a[0]"),
        ('{"a": -Infinity}', "invalid_number", "a"),
        ('{"a": 1e999}', "invalid_number", "a"),
        ('{"a": ' + "9" * 5_000 + "}", "invalid_number", "a"),
        ('{"a": "\\ud800"}', "invalid_text", "a"),
        ('"' + "x" * 1_048_577 + '"', "too_large", "(body)"),
    ],
    ids=lambda part: part[:20] if isinstance(part, str) else "",
)
def test_raw_json_is_not_bent(text: str | bytes, code: str, field: str) -> None:
    assert refusal(lambda: strict_loads(text)) == (code, field)


@pytest.mark.parametrize(
    "title", ["a", "'; DROP TABLE tasks;--", "<script>", "Șed 👩‍👩‍👧", "e\u0301" * 100]
)
def test_any_visible_line_is_legal_text(title: str) -> None:
    assert one_line(title, "title", 200) == title


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("", "invalid_text"),
        ("   ", "invalid_text"),
        ("\u200b\u3164", "invalid_text"),
        ("a\nb", "invalid_text"),
        ("a\x85b", "invalid_text"),
        ("a\u2028b", "invalid_text"),
        ("a\u202eb", "invalid_text"),
        ("a\U000e0041b", "invalid_text"),
        ("a\ud800", "invalid_text"),
        ("x" * 201, "too_long"),
        (5, "wrong_type"),
    ],
)
def test_a_line_that_would_deceive_its_reader_is_refused(title: object, code: str) -> None:
    assert refusal(lambda: one_line(title, "title", 200)) == (code, "title")


@pytest.mark.parametrize("value", [1.5, 2.0, True, "3", None])
def test_a_whole_number_is_not_bent_from_something_else(value: object) -> None:
    def act() -> int:
        return whole_number(value, field="limit", low=1, high=200)

    assert refusal(act) == ("wrong_type", "limit")


def test_a_whole_number_keeps_its_range() -> None:
    assert whole_number(200, field="limit", low=1, high=200) == 200
    with pytest.raises(InvalidInput) as caught:
        whole_number(201, field="limit", low=1, high=200)
    assert (caught.value.code, caught.value.allowed) == ("out_of_range", ["1..200"])
