"""Templates: behaviour.md 10 to 15, secrets, time, and the laws of rendering."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.template import (
    RenderContext,
    RenderError,
    parse_template,
    render,
    templates_in,
)
from ordinaut_mcp.errors import InvalidInput

CHISINAU = ZoneInfo("Europe/Chisinau")
BEFORE_SPRING = datetime(2026, 3, 28, 6, 30, 0, 250_000, tzinfo=UTC)
"""08:30 in Chisinau, on the eve of summer time there (29 March 2026, 02:00 to 03:00)."""

VALUES: dict[str, Any] = {
    "params": {
        "name": "Alice",
        "age": 30,
        "active": True,
        "nothing": None,
        "items": ["apple", "banana", "cherry"],
        "x": 10,
        "y": 5,
        "ratio": 25.5,
        "evil": "${params.name} $${x} ${secrets.API_KEY}",
    },
    "steps": {
        "weather": {"temp": 25, "units": "C"},
        "calendar": {"events": [{"title": "Meeting"}, {"title": "Call"}, {"title": "Gym"}]},
    },
    "run": {"scheduled_for": "2026-03-28T08:30:00+02:00"},
}


def context(values: dict[str, Any] = VALUES, **secrets: str) -> RenderContext:
    return RenderContext(values=values, now=BEFORE_SPRING, zone=CHISINAU, secrets=secrets or None)


def rendered(value: Any) -> Any:
    return render(value, context())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Hello ${params.name}, you are ${params.age} years old",
            "Hello Alice, you are 30 years old",
        ),
        ("${steps.weather.temp}°${steps.weather.units}", "25°C"),
        ("${steps.calendar.events[0].title}", "Meeting"),
        ("You have ${length(steps.calendar.events)} events", "You have 3 events"),
        ("active: ${params.active}", "active: true"),
        ("nothing: ${params.nothing}", "nothing: null"),
        ("ratio: ${params.ratio}", "ratio: 25.5"),
        ("items: ${params.items}", 'items: ["apple", "banana", "cherry"]'),
        ("${steps.weather}!", '{"temp": 25, "units": "C"}!'),
        ("Привет! 🌟 你好 العالم ${params.name}", "Привет! 🌟 你好 العالم Alice"),
        ("$${literal}", "${literal}"),
        ("a $${b} ${params.x} $${c}", "a ${b} 10 ${c}"),
        ("$$${params.x}", "$${params.x}"),
        ("$5 and $ {x} }", "$5 and $ {x} }"),
        ("${params.missing || 'none'}", "none"),
        ("${params.missing || '}'} ok", "} ok"),
        ('${params.missing || "{"}', "{"),
        ("", ""),
    ],
)
def test_text_is_filled_in_as_people_expect(text: str, expected: str) -> None:
    assert rendered(text) == expected


def test_a_string_that_is_one_template_keeps_its_type() -> None:
    found = rendered({"a": "${params.x}", "b": ["${params.items}", "${params.nothing}"], "c": 1})
    assert found == {"a": 10, "b": [["apple", "banana", "cherry"], None], "c": 1}
    assert rendered("${params.active}") is True
    assert rendered("${{a: params.name, b: [params.y]}}") == {"a": "Alice", "b": [5]}


def test_what_is_filled_in_is_never_expanded_again() -> None:
    secret = context(API_KEY="hunter22")
    assert render("${params.evil}", secret) == VALUES["params"]["evil"]
    assert render("> ${params.evil}", secret) == "> " + VALUES["params"]["evil"]


def test_keys_stay_as_they_are() -> None:
    assert rendered({"$${a}": "${params.x}"}) == {"$${a}": 10}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${now}", "2026-03-28T08:30:00+02:00"),
        ("${now+24h}", "2026-03-29T09:30:00+03:00"),
        ("${now+1d}", "2026-03-29T08:30:00+03:00"),
        ("${ now + 1w }", "2026-04-04T08:30:00+03:00"),
        ("${now-7d}", "2026-03-21T08:30:00+02:00"),
        ("${now+90m}", "2026-03-28T10:00:00+02:00"),
        ("${now-30s}", "2026-03-28T08:29:30+02:00"),
        ("${run.scheduled_for+1h}", "2026-03-28T09:30:00+02:00"),
        ("${now | date('%Y-%m-%d')}", "2026-03-28"),
        ("on ${now+1d | date('%d.%m. %H:%M')}", "on 29.03. 08:30"),
        ("${now+2d-1h}", "2026-03-30T07:30:00+03:00"),
    ],
)
def test_time_is_reckoned_in_the_tasks_zone(text: str, expected: str) -> None:
    assert rendered(text) == expected


def test_a_day_onto_a_time_that_the_clocks_leave_out_lands_behind_the_gap() -> None:
    two_thirty = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)
    at = RenderContext(values={}, now=two_thirty, zone=CHISINAU)
    assert render("${now}", at) == "2026-03-28T03:30:00+02:00"
    berlin = RenderContext(values={}, now=two_thirty, zone=ZoneInfo("Europe/Berlin"))
    assert render("${now} ${now+1d}", berlin) == (
        "2026-03-28T02:30:00+01:00 2026-03-29T03:30:00+02:00"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "${params.nam}",
            "with: ${params.nam} has no value: there is no 'nam'; did you mean 'name'?",
        ),
        ("x ${steps.gone.y}", "with: ${steps.gone.y} has no value: there is no 'gone'"),
        (
            "${length(params.x)}",
            "with: ${length(params.x)} length() takes string or array or object, not number",
        ),
        ("${params.", "with: '${params.' is not closed; '}' is missing"),
        ("${params.name+1d}", "with: ${params.name+1d} is not an ISO-8601 date or time"),
        (
            "${now+99999999w}",
            "with: ${now+99999999w} cannot be moved by +99999999w: there is no such year",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_an_error_that_names_it(text: str, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        rendered(text)
    assert caught.value.message == message
    assert caught.value.code == "template_error"


def test_a_render_error_names_the_argument_and_the_expression() -> None:
    with pytest.raises(RenderError) as caught:
        render({"a": ["x", "${ params.gone }"]}, context(), field="pipeline[2].with")
    assert (caught.value.field, caught.value.path) == ("pipeline[2].with.a[1]", "params.gone")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${", "invalid_template"),
        ("Hello ${params.name", "invalid_template"),
        ("${}", "invalid_template"),
        ("${invalid..expression}", "invalid_template"),
        ("${${now}}", "invalid_template"),
        ("${now:%Y%n}", "invalid_template"),
        ("${secrets}", "invalid_template"),
        ("${secrets.*}", "invalid_template"),
        ("${secrets.lower}", "invalid_template"),
        ("${to_string(secrets)}", "invalid_template"),
        ("key=${secrets.API_KEY}", "invalid_template"),
        ("${secrets.API_KEY}${secrets.API_KEY}", "invalid_template"),
        ("https://example.com/?k=${secrets.API_KEY}", "secret_in_url"),
        ("${" + "a" * 1_025 + "}", "too_long"),
        ("${" + "a" * 5_000, "too_long"),
        ("${now}" * 101, "too_complex"),
    ],
)
def test_a_malformed_template_is_refused_when_it_is_read(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_template(text, "with.text")
    assert (caught.value.code, caught.value.field) == (code, "with.text")


def test_a_template_knows_its_pieces() -> None:
    template = parse_template("${params.a} and ${steps.b.c}", "f")
    assert {str(each) for each in template.references} == {"params.a", "steps.b"}
    assert not template.is_whole
    assert not template.is_literal
    assert parse_template("${params.a}", "f").is_whole
    assert parse_template("$${x}", "f").is_literal


def test_templates_are_found_where_they_stand() -> None:
    value = {"a": ["x", "${params.y}"], "b": {"c": "${now} $"}, "d": "$${no}", "e": 1}
    found = [(each.path, each.field) for each in templates_in(value, "with")]
    assert found == [(("a", 1), "with.a[1]"), (("b", "c"), "with.b.c")]


def test_a_template_in_a_key_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        templates_in({"a": {"${params.k}": 1}}, "with")
    assert (caught.value.code, caught.value.field) == ("invalid_template", "with.a")


def test_secrets_stay_references_until_the_last_moment() -> None:
    value = {"key": "${secrets.API_KEY}", "header": "Bearer ${secrets.API_KEY}"}
    assert rendered(value) == value
    assert render(value, context(API_KEY="hunter22")) == {
        "key": "hunter22",
        "header": "Bearer hunter22",
    }
    assert parse_template(value["header"], "f").secrets == {"API_KEY"}


def test_a_secret_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RenderError, match="there is no secret OTHER for this task"):
        render("${secrets.OTHER}", context(API_KEY="x"))


def test_expressions_never_see_secrets() -> None:
    assert "hunter22" not in str(render("${@}", context(API_KEY="hunter22")))


def test_what_is_rendered_is_at_most_256_kib() -> None:
    big = context({"params": {"blob": "x" * 100_000}})
    assert len(render("${params.blob}${params.blob}", big)) == 200_000
    for value in ("${params.blob}" * 3, ["${params.blob}"] * 3):
        with pytest.raises(RenderError, match="larger than 256 KiB"):
            render(value, big)


def test_depth_is_bounded() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]
    with pytest.raises(RenderError, match="nests too deep"):
        rendered(value)


def test_a_value_that_is_no_json_is_an_error() -> None:
    with pytest.raises(RenderError, match="is not JSON"):
        render("${params.n}", context({"params": {"n": float("nan")}}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
NAMED = st.dictionaries(st.sampled_from(["a", "b", "now", "steps"]), JSON, max_size=3)
# fmt: off
PIECES = [
    "${", "}", "$", "{", "$${", "params", ".a", ".b", "[0]", "now", "+1d", "-99999w", "|",
    "date('%Y')", "'", "\"", "`", "||", "steps", "length(", ")", "@", "é",
]
# fmt: on
TEXTS = st.lists(st.sampled_from([*PIECES, "secrets.ABC", "\0", " "]), max_size=12).map("".join)


def outcome(value: Any, values: dict[str, Any]) -> Any:
    """What rendering gives, or the one error that it may raise."""
    try:
        return render(value, context(values))
    except RenderError as error:
        return error


@settings(deadline=None)
@given(NAMED, TEXTS | JSON)
@example({"a": "${params.a}"}, "${params.a}")
def test_rendering_is_total(params: dict[str, Any], value: Any) -> None:
    found = outcome(value, {"params": params, "steps": params})
    assert not isinstance(found, RenderError) or found.message


@settings(deadline=None)
@given(JSON)
def test_a_whole_template_gives_the_very_value(value: Any) -> None:
    found = outcome("${params.v}", {"params": {"v": value}})
    assert found is value or (isinstance(found, RenderError) and "is not JSON" in found.message)


@settings(deadline=None)
@given(st.text(), TEXTS)
def test_a_text_that_is_filled_in_arrives_unchanged(before: str, filled: str) -> None:
    values = {"params": {"v": filled}}
    literal = before.replace("$", "")
    assert render(literal + "${params.v}.", context(values)) == literal + filled + "."


@settings(deadline=None)
@given(st.text() | TEXTS)
def test_text_without_templates_is_left_alone(text: str) -> None:
    plain = text.replace("$", "")
    assert rendered(plain) == plain
