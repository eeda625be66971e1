"""Expressions: plain literals, references, and bounds in what they cost."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.evaluation import Budget, same
from ordinaut_mcp.domain.expression import (
    Expression,
    ExpressionFault,
    Missing,
    parse_expression,
)
from ordinaut_mcp.errors import InvalidInput

CONTEXT: dict[str, Any] = {
    "params": {
        "name": "Alice",
        "n": 5,
        "nothing": None,
        "numbers": [3, 1, 2],
        "words": ["b", "a"],
        "people": [{"name": "Ann", "age": 3}, {"name": "Bob"}, {"name": "Cid", "age": 9}],
        "odd key": 1,
        "text": "ab",
        "yes": True,
        "mixed": [1, True, [1], [True]],
        "at": "2026-11-22T08:30:00+02:00",
    },
    "now": "2026-11-22T08:30:00+02:00",
}


def parsed(text: str) -> Expression:
    return parse_expression(text, field="f", code="invalid_template")


def value(text: str) -> Any:
    return parsed(text).evaluate(CONTEXT)


def refusal(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        parsed(text)
    assert caught.value.field == "f"
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.n == 5", True),
        ("params.n == 5.0", True),
        ("params.n > -5", True),
        ("params.n >= 5 && params.n <= 5", True),
        ("5 < params.n", False),
        ("params.n == true", False),
        ("params.yes == true", True),
        ("params.yes == 1", False),
        ('params.name == "Alice"', True),
        ("params.name == 'Alice'", True),
        ('"Alice" == params.name', True),
        ("params.nothing == null", True),
        ("params.n != null", True),
        ("params.n == `5`", True),
        ('params."odd key"', 1),
        ('contains(params.words, "a")', True),
        ("contains(params.name, 'lic')", True),
        ("contains(params.name, 5)", False),
        ("contains(params.mixed, true)", True),
        ("contains(params.numbers, true)", False),
        ("params.gone || 5", 5),
        ("params.numbers[0]", 3),
        ("params.numbers[-1]", 2),
        ("params.numbers[1:]", [1, 2]),
        ("params.numbers[::2]", [3, 2]),
        ("[params.n, 7, null]", [5, 7, None]),
        ("{a: params.n, b: 2}", {"a": 5, "b": 2}),
        ("params.people[?age > 5].name", ["Cid"]),
        ("params.people[?age != 3].name", ["Bob", "Cid"]),
        ("params.people[*].name | join(', ', @)", "Ann, Bob, Cid"),
        ("params.people[*].[name][]", ["Ann", "Bob", "Cid"]),
        ("map(&name, params.people)", ["Ann", "Bob", "Cid"]),
        ("sort_by(params.people[?age], &age)[-1].name", "Cid"),
        ("to_string(params.words)", '["b","a"]'),
        ("to_string(params.name)", "Alice"),
        ("to_number('12')", 12),
        ("to_number('1_2')", None),
        ("to_number(params.n)", 5),
        ("to_number(params.yes)", None),
        ("length(params.people)", 3),
        ("reverse(params.name)", "ecilA"),
        ("!params.nothing", True),
        ("!params.people[0].age", False),
        ("!contains(params.words, 'a')", False),
        ("!params.people[?age > 90]", True),
        ("params.name > params.n", None),
        ("params.yes > 0", None),
        ("params.words > params.n", None),
        ("'a' < 'b'", True),
        ("'2026-11-22T08:30:00+02:00' < '2026-11-22T07:00:00Z'", True),
        ("'2026-11-22T08:30:00+02:00' < '2026-99-22T07:00:00Z'", True),
        ("now+24h", "2026-11-23T06:30:00+00:00"),
        ("params.at - 30m", "2026-11-22T06:00:00+00:00"),
        ("now+1d-1h+1s", "2026-11-23T05:30:01+00:00"),
        ("now+1h > params.at", True),
        ("[now+1h][0] | date('%H:%M')", "07:30"),
        ("date(params.at, '%d.%m.')", "22.11."),
    ],
)
def test_people_write_literals_as_they_are_used_to(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("params.nam", "there is no 'nam'; did you mean 'name'?"),
        ("params.gone.deeper.still", "there is no 'gone'"),
        ("params.nothing.deeper", "there is no 'deeper'"),
        ("params.n.deeper", "there is no 'deeper'"),
        ("params.numbers[3]", "there is no item [3]"),
        ("params.name[0]", "there is no item [0]"),
        ("params.gone[*].x", "there is no 'gone'"),
        ("params.gone | @", "there is no 'gone'"),
        ("params.gone.[a]", "there is no 'gone'"),
        ("params.nothing || params.gone", "there is no 'gone'"),
    ],
)
def test_a_path_to_nowhere_is_told_from_a_null(text: str, why: str) -> None:
    assert value(text) == Missing(why)


@pytest.mark.parametrize("text", ["params.nothing", "params.nothing || params.nothing"])
def test_a_null_that_exists_is_a_value(text: str) -> None:
    assert value(text) is None


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("params.a.b", {"params.a"}),
        ("steps.a[0].b == params.c", {"steps.a", "params.c"}),
        ("steps.a[?x == 'y'].z | [0].q", {"steps.a"}),
        ("steps.a[1:2]", {"steps.a"}),
        ("steps.a[].b", {"steps.a"}),
        ("steps.*.b", {"steps"}),
        ("steps", {"steps"}),
        ("steps.length(@)", {"steps"}),
        ("{a: params.s, b: now}", {"params.s", "now"}),
        ("map(&name, steps.people)", {"steps.people"}),
        ("now+24h", {"now"}),
        ("@", {"@"}),
        ("*", {"@"}),
        ("values(@)", {"@"}),
        ("[0]", {"@"}),
        ("'x'", set[str]()),
    ],
)
def test_an_expression_tells_what_it_reads(text: str, references: set[str]) -> None:
    assert {str(each) for each in parsed(text).references} == references


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_template"),
        ("  ", "invalid_template"),
        ("a..b", "invalid_template"),
        ("a.", "invalid_template"),
        ("a b", "invalid_template"),
        ("a == ", "invalid_template"),
        ("'open", "invalid_template"),
        ("`{bad`", "invalid_template"),
        ("`NaN`", "invalid_template"),
        ('`{"a": 1, "a": 2}`', "invalid_template"),
        ("a == 99999999999999999999", "invalid_template"),
        ("a == 012", "invalid_template"),
        ("lenght(a)", "invalid_template"),
        ("length()", "invalid_template"),
        ("length(a, b)", "invalid_template"),
        ("not_null()", "invalid_template"),
        ("length(&a)", "invalid_template"),
        ("now | date('%s')", "invalid_template"),
        ("now | date('%')", "invalid_template"),
        ("date(now, params.name) | date(@, '%Q')", "invalid_template"),
        ("params.people[0].age +1d 'x'", "invalid_template"),
        ("a \\ b", "invalid_template"),
        ("date(now, '" + "x" * 101 + "')", "invalid_template"),
        ("+24h", "invalid_template"),
        ("length(a)+1h", "invalid_template"),
        ("a" * 1_025, "too_long"),
        ("(" * 40 + "a" + ")" * 40, "too_complex"),
        ("!" * 40 + "a", "too_complex"),
        ("a[?" * 33 + "a" + "]" * 33, "too_complex"),
        (" || ".join(["a"] * 40), "too_complex"),
        ("[" + ",".join(["a"] * 300) + "]", "too_complex"),
        ("@" + "|[@,@]" * 9, "too_complex"),
        ("@" + ".{a:@,b:@}" * 9, "too_complex"),
        ("a[*]" + ".[@,@]" * 9, "too_complex"),
        ("s" + "|join('',[@,@])" * 12, "too_complex"),
        ("s" + "|map(&[@,@],@)" * 9, "too_complex"),
    ],
)
def test_what_is_malformed_or_multiplies_is_refused_before_it_is_stored(
    text: str, code: str
) -> None:
    assert refusal(text) == code


def test_an_unknown_function_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidInput, match=r"there is no function lenght\(\); .* 'length'"):
        parsed("lenght(a)")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("length(params.gone)", r"length\(\) takes string or array or object, not null"),
        ("params.numbers[::0]", "slice step cannot be zero"),
        ("params.n | date('%Y')", r"date\(\) takes string, not number"),
        ("params.name+1h", "is not an ISO-8601 date or time"),
        ("now+999999999w", "there is no such year"),
        ("shift(now, 'soon')", "cannot be moved by 'soon'"),
        ("sum([`9223372036854775807`, `1`])", "more than 63 bits"),
        ("sort(params.mixed)", "sort"),
    ],
)
def test_a_wrong_value_is_an_error_that_says_why(text: str, why: str) -> None:
    with pytest.raises(ExpressionFault, match=why):
        value(text)


def test_a_computed_format_is_checked_when_it_is_known() -> None:
    with pytest.raises(ExpressionFault, match="the format of date"):
        parsed("date(now, params.f)").evaluate({"now": CONTEXT["now"], "params": {"f": "%s"}})


def test_a_date_without_an_offset_is_local_to_the_zone() -> None:
    read = parsed("date(d, '%H:%M %Z')").evaluate({"d": "2026-01-02T03:04"}, zone=UTC)
    assert read == "03:04 UTC"


def test_long_texts_are_not_built() -> None:
    context = {"s": "x" * 1_000_000}
    for text in ("join('', [s, s])", "to_string([s, s])"):
        with pytest.raises(ExpressionFault, match="more than 1 MiB"):
            parsed(text).evaluate(context)


def test_a_computed_result_is_at_most_256_kib() -> None:
    with pytest.raises(ExpressionFault, match="larger than 262144 bytes"):
        parsed("[a, a]").evaluate({"a": ["x" * 200_000]})


def test_a_long_loop_runs_out_of_budget() -> None:
    context = {"a": list(range(60_000))}
    with pytest.raises(ExpressionFault, match="costs too much"):
        parsed("a[?@ > 1 && @ > 2 && @ > 3]").evaluate(context)


def test_what_functions_and_slices_make_costs_too() -> None:
    budget = Budget(left=2)
    with pytest.raises(ExpressionFault):
        same([1, 2], [1, 2], budget.spend)
    context = {"a": [1] * 60_000}
    for text in ("[a[:], a[:], a[:], a[:]] | length(@)", "[sort(a), sort(a), sort(a), sort(a)]"):
        with pytest.raises(ExpressionFault, match="costs too much"):
            parsed(text).evaluate(context)


def test_equality_is_that_of_json() -> None:
    spend = Budget().spend
    assert same({"a": [1, None]}, {"a": [1.0, None]}, spend)
    assert not same([1], [True], spend)
    assert not same({"a": 1}, {"b": 1}, spend)
    assert not same([1], [1, 2], spend)


# fmt: off
PIECES = [
    "a", "@", "|", "[@,@]", "[*]", "[]", ".", "(", ")", "join('',", "to_string(", "map(&", "[?",
    "]", "==", "`1`", "'x'", "\"", "`", "!", "&", "||", ",", "{a:", "}", "*", "[::", "0", "+1d",
    "now", "-7d", ">", "5", "length(", "sort(", "max_by(a,&", "\\", "$", "é", "date(",
]
# fmt: on


@settings(deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "\0"]), max_size=40).map("".join))
def test_hostile_expressions_end_in_a_value_or_one_of_two_errors(text: str) -> None:
    try:
        found = parsed(text).evaluate({"a": ["x" * 50] * 200, "now": "2026-11-22T08:30:00Z"})
    except (InvalidInput, ExpressionFault):
        return
    assert isinstance(found, Missing) or len(repr(found)) <= 4 * 262_144
