"""JSON Schema: guarded when compiled, bounded when checked, and told in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.json_schema import Problem, compile_schema
from ordinaut_mcp.errors import InvalidInput

FORECAST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[A-Z]"},
        "days": {"type": ["integer", "null"], "maximum": 14},
        "units": {"enum": ["C", "F"]},
        "mode": {"const": "daily"},
        "where": {
            "type": "object",
            "properties": {"lat": {"type": "number"}},
            "additionalProperties": False,
        },
        "shape": {"anyOf": [{"type": "string"}, {"type": "number"}]},
    },
    "required": ["city"],
    "additionalProperties": False,
}


def told(schema: dict[str, Any], value: Any) -> list[str]:
    return sorted(str(problem) for problem in compile_schema(schema, field="s").problems(value))


def refusal(schema: object, *, trusted: bool = True) -> str:
    with pytest.raises(InvalidInput) as caught:
        compile_schema(schema, field="output_schema", trusted=trusted)
    assert caught.value.field == "output_schema"
    return caught.value.code


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    """2^levels subschemas on one value."""
    defs: dict[str, Any] = {
        f"a{level}": {"anyOf": [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$defs": defs | {f"a{levels}": {"type": "string"}}, "$ref": "#/$defs/a0"}


def test_what_fits_has_no_problems() -> None:
    assert told(FORECAST, {"city": "Chisinau", "days": 3, "units": "C", "where": {"lat": 47}}) == []


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, ["city is missing"]),
        ({"city": 5}, ["city must be string"]),
        ({"city": "Oslo", "citty": 1}, ["citty is not known; did you mean 'city'?"]),
        ({"city": "Oslo", "days": "3"}, ["days must be null or integer"]),
        ({"city": "Oslo", "days": 15}, ["days the value is greater than the maximum of 14"]),
        ({"city": "Oslo", "units": "K"}, ['units must be one of "C", "F"']),
        ({"city": "Oslo", "mode": "hourly"}, ['mode must be "daily"']),
        ({"city": "oslo"}, ['city must match the pattern "^[A-Z]"']),
        ({"city": "Oslo", "shape": []}, ["shape must fit one of the forms"]),
        (
            {"city": "Oslo", "where": {"lon": 1, "x": 2}},
            ["where.lon is not known", "where.x is not known"],
        ),
        ([], ["the value must be object"]),
    ],
)
def test_a_problem_is_short_and_names_its_place(value: Any, problems: list[str]) -> None:
    assert told(FORECAST, value) == problems


def test_a_problem_says_what_would_have_been_accepted() -> None:
    [problem] = compile_schema(FORECAST, field="s").problems({"city": "Oslo", "units": "K"})
    assert problem == Problem(
        ("units",),
        'must be one of "C", "F"',
        "enum",
        ('"C"', '"F"'),
        ("properties", "units", "enum"),
    )
    assert problem.field("pipeline[0].with") == "pipeline[0].with.units"


def test_known_members_are_found_behind_a_reference() -> None:
    schema = {"$defs": {"p": FORECAST["properties"]["where"]}, "items": {"$ref": "#/$defs/p"}}
    assert told(schema, [{"lad": 1}]) == ["[0].lad is not known; did you mean 'lat'?"]


def test_unknown_members_without_any_known_ones_are_told_too() -> None:
    assert told({"additionalProperties": False}, {"a": 1, "b": 2}) == [
        "a is not known",
        "b is not known",
    ]
    assert told({"items": {"additionalProperties": False}}, [{"a": 1}]) == ["[0].a is not known"]


def test_problems_are_told_up_to_ten() -> None:
    schema = {"items": {"type": "string"}}
    assert len(compile_schema(schema, field="s").problems([1] * 50)) == 10
    assert len(compile_schema(schema, field="s").problems([1] * 50, most=20)) == 20


def test_long_values_are_cut_in_messages() -> None:
    [problem] = compile_schema({"const": "x" * 500}, field="s").problems("y")
    assert len(problem.message) < 100


REFUSED: list[tuple[Any, str]] = [
    ("not a schema", "wrong_type"),
    ([], "wrong_type"),
    (True, "wrong_type"),
    ({"type": "strin"}, "invalid_schema"),
    ({"multipleOf": 0}, "invalid_schema"),
    ({"enum": []}, "invalid_schema"),
    ({"properties": {"a": {"type": 5}}}, "invalid_schema"),
    ({"const": float("nan")}, "invalid_schema"),
    ({"$ref": "#"}, "invalid_schema"),
    ({"allOf": [{"not": {"$ref": "#"}}]}, "invalid_schema"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "invalid_schema"),
    ({"$dynamicAnchor": "n", "$dynamicRef": "#n"}, "invalid_schema"),
    ({"$ref": "#/$defs/none"}, "invalid_schema"),
    ({"$ref": "#nowhere"}, "invalid_schema"),
    ({"$ref": "#/allOf/7", "allOf": [{}]}, "invalid_schema"),
    ({"$ref": "#/title/x", "title": "t"}, "invalid_schema"),
    ({"$ref": "file:///etc/passwd"}, "external_ref"),
    ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "external_ref"),
    ({"$id": "http://evil.example/", "$ref": "x.json"}, "external_ref"),
    ({"properties": {"a": {"$ref": "http://[broken"}}}, "external_ref"),
    ({"$schema": "http://evil.example/meta"}, "unsupported_dialect"),
    ({"$schema": 5}, "unsupported_dialect"),
    ({"pattern": "(?=a)b"}, "unsupported_pattern"),
    ({"pattern": r"(a)\1"}, "unsupported_pattern"),
    ({"pattern": "(a{1000}){1000}"}, "unsupported_pattern"),
    ({"patternProperties": {"(?!x)": {}}}, "unsupported_pattern"),
    ({"allOf": [{"pattern": f"a{n}"} for n in range(101)]}, "unsupported_pattern"),
    ({"description": "x" * 70_000}, "too_large"),
    (nested(400), "too_complex"),
    ({"properties": {f"p{n}": {} for n in range(1_000)}}, "too_complex"),
    ({"enum": [{f"p{n}": 1 for n in range(1_001)}]}, "too_complex"),
    (
        {
            "$defs": {"a": {}},
            "allOf": [{"$ref": "#/$defs/a"}] * 1,
            "anyOf": [{"$ref": "#/$defs/a", "title": f"{n}"} for n in range(256)],
        },
        "too_complex",
    ),
    (doubling(26), "too_complex"),
]


@pytest.mark.parametrize(("schema", "code"), REFUSED)
def test_a_schema_that_could_hurt_or_never_fit_is_refused(schema: Any, code: str) -> None:
    assert refusal(schema) == code


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        (nested(31), {"a": {"a": 1}}, True),
        (
            {"$dynamicAnchor": "n", "properties": {"c": {"$dynamicRef": "#n"}}, "type": "object"},
            {"c": {"c": 1}},
            False,
        ),
        ({"uniqueItems": True, "maxItems": 5_000}, [1, 1], False),
        ({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}, ["x"], False),
        ({"$defs": {"a/b~": {"type": "integer"}}, "$ref": "#/$defs/a~1b~0"}, "x", False),
        ({"$defs": {"n": {"$anchor": "num", "type": "integer"}}, "$ref": "#num"}, "x", False),
        ({"$defs": {"no": False}, "$ref": "#/$defs/no"}, 1, False),
        ({"allOf": [{"type": "integer"}, {"$ref": "#/allOf/0"}]}, "x", False),
        ({"$id": "urn:a:b", "$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}, "x", False),
        (
            {
                "$defs": {"n": {"$id": "http://a.example/n", "type": "integer"}},
                "$ref": "http://a.example/n",
            },
            "x",
            False,
        ),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"n": {"$id": "#num", "type": "integer"}},
                "items": [{"$ref": "#num"}],
            },
            ["x"],
            False,
        ),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "format": "email"}, "x", True),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, False),
        ({"enum": ["$ref"], "default": {"$ref": "file:///x"}}, "$ref", True),
    ],
)
def test_legal_schemas_work_whatever_they_look_like(
    schema: dict[str, Any], value: Any, fits: bool
) -> None:
    assert (compile_schema(schema, field="s").problems(value) == []) is fits


def test_a_foreign_schema_loses_what_cannot_be_checked_and_says_so() -> None:
    schema: dict[str, Any] = {
        "properties": {"q": {"type": "string", "pattern": "(?=a)"}, "choice": {"enum": []}},
        "patternProperties": {"(?=x)": {"type": "string"}, "^n": {"type": "number"}},
        "additionalProperties": False,
    }
    validator = compile_schema(schema, field="the schema of x.y", trusted=False)
    assert validator.warnings == (
        "the schema of x.y: the pattern '(?=x)' is not checked",
        "the schema of x.y: the pattern '(?=a)' is not checked",
    )
    assert validator.problems({"q": "b", "other": 1}) == []
    assert [str(each) for each in validator.problems({"q": 5, "n": "x"})] != []
    assert "pattern" in schema["properties"]["q"]


def test_a_foreign_schema_is_never_fetched_for() -> None:
    assert refusal({"$ref": "http://127.0.0.1:9/x"}, trusted=False) == "external_ref"


def test_an_evil_pattern_runs_in_linear_time() -> None:
    validator = compile_schema({"pattern": "^(a+)+$"}, field="s", trusted=False)
    assert [str(each) for each in validator.problems("a" * 50_000 + "!")] == [
        'the value must match the pattern "^(a+)+$"'
    ]


def twin() -> dict[str, Any]:
    """Each level of the value doubles the work."""
    child = {"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["c"]}
    return {"$defs": {"n": {"anyOf": [dict(child), dict(child)]}}, "$ref": "#/$defs/n"}


def test_work_that_doubles_with_the_depth_of_the_value_is_not_begun() -> None:
    validator = compile_schema(twin(), field="s", trusted=False)
    value: Any = 1
    for _ in range(30):
        value = {"c": value}
    assert [each.keyword for each in validator.problems(value)] == ["too_complex"]
    assert validator.problems({"c": {"c": 1}}) == []


def test_a_named_member_is_not_counted_as_any_other_too() -> None:
    node = {"properties": {"a": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}}
    value: Any = 1
    for _ in range(60):
        value = {"a": value, "b": 1}
    assert compile_schema(node, field="s").problems(value) == []


def test_problems_that_would_cost_too_much_to_tell_are_told_as_one() -> None:
    schema = {"anyOf": [{"required": [f"k{n}"]} for n in range(300)]}
    problems = compile_schema(schema, field="s").problems({"a": "x" * 200_000})
    assert [str(each) for each in problems] == ["the value does not fit the schema"]


def test_a_value_that_is_no_json_is_a_problem() -> None:
    [problem] = compile_schema({"const": 1}, field="s").problems({1, 2})
    assert "cannot be checked" in problem.message


def test_a_bottomless_value_does_not_reach_the_native_code() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    [problem] = compile_schema({"items": {"$ref": "#"}}, field="s").problems(value)
    assert problem.keyword == "too_complex"


def test_the_schema_of_any_json_may_recurse_in_lists_and_objects() -> None:
    anything = {
        "anyOf": [
            {"type": ["string", "number", "null"]},
            {"type": "array", "items": {"$ref": "#"}},
            {"type": "object", "additionalProperties": {"$ref": "#"}},
        ]
    }
    value: Any = 1
    for _ in range(15):
        value = [{"a": value}]
    assert compile_schema(anything, field="s").problems(value) == []


WORDS = st.sampled_from(["type", "$ref", "#", "properties", "allOf", "items", "object", "a", "not"])
SCHEMAS = st.recursive(
    st.booleans() | st.integers(-2, 5) | WORDS | st.sampled_from(["#/allOf/0", "#/properties/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(SCHEMAS, SCHEMAS)
def test_any_schema_is_refused_in_words_or_decides(schema: Any, value: Any) -> None:
    try:
        problems = compile_schema(schema, field="s", trusted=False).problems(value)
    except InvalidInput as error:
        problems = [Problem((), error.message, error.code)]
    assert all(problem.message for problem in problems)
