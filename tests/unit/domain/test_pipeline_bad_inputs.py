"""cases/bad_inputs.json, as far as the pure domain decides: code and field as they say.

A case that needs HTTP, scopes or a running step is skipped here by its id, with the reason.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from ordinaut_mcp.domain.clean import clean_json, one_line, strict_loads, whole_number
from ordinaut_mcp.domain.condition import ConditionError
from ordinaut_mcp.domain.pipeline import parse_pipeline
from ordinaut_mcp.domain.pipeline_check import check_pipeline
from ordinaut_mcp.domain.template import RenderContext, render
from ordinaut_mcp.domain.tool import ToolSpec
from ordinaut_mcp.errors import InvalidInput

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "cases" / "bad_inputs.json").read_text("utf-8")
)
ENVELOPE = "the JSON-RPC envelope is the transport's"
ELSEWHERE = {
    "json-raw-011": ENVELOPE,
    "json-raw-012": ENVELOPE,
    "json-raw-016": ENVELOPE,
    "pipeline-019": "whether tasks may be nested is a scope: for the service",
    "template-018": "the size of a tool's output is held by the step that called it",
    "secret-002": "masking of stored outputs is the runtime's",
    "secret-005": "no pipeline: the name of a secret is checked where it is set",
}
SURFACES = {
    "condition.jmespath",
    "json.raw",
    "number",
    "payload.size",
    "pipeline",
    "schema",
    "secret",
    "template",
    "text",
}
RANGES = {"limit": (1, 200), "priority": (1, 9), "for_seconds": (1, 10 * 366 * 86_400)}
TRANSPORT = {"-32700": "parse_error", "413": "too_large"}
"""What the transport makes of our codes, read backwards."""


def of(surface_outcome: str) -> list[Any]:
    """The cases of this file with one outcome; skipped ones carry their reason."""
    return [
        pytest.param(
            case,
            id=case["id"],
            marks=[pytest.mark.skip(reason=ELSEWHERE[case["id"]])]
            if case["id"] in ELSEWHERE
            else [],
        )
        for case in CASES
        if case["surface"] in SURFACES and case["expect"]["outcome"] == surface_outcome
    ]


def nested(depth: int, around: Callable[[Any], Any]) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = around(value)
    return value


GENERATORS: dict[str, Callable[[Any], Any]] = {
    "$repeat": lambda of: of[0] * of[1],
    "$cat": lambda of: "".join(generated(part) for part in of),
    "$nest_array": lambda of: nested(of, lambda inner: [inner]),
    "$nest_schema": lambda of: nested(of, lambda inner: {"properties": {"a": inner}}),
    "$many": lambda of: {f"{of[0]}{at}": of[2] for at in range(of[1])},
    "$b64": base64.b64decode,
}


def generated(value: Any) -> Any:
    """The value with its generators carried out (security.md §3)."""
    if isinstance(value, list):
        return [generated(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    for word, generator in GENERATORS.items():
        if members.keys() == {word}:
            return generator(members[word])
    return {key: generated(member) for key, member in members.items()}


def spec(uses: str, *properties: str, closed: bool = False) -> ToolSpec:
    server, _, name = uses.partition(".")
    known = {each: {"type": "string"} for each in properties}
    schema = {"type": "object", "properties": known, "additionalProperties": not closed}
    return ToolSpec(server=server, name=name, input_schema=schema)


CATALOG = {
    each.uses: each
    for each in [
        spec("echo.say", "text", closed=True),
        spec("evil.say"),
        spec("http.request", "url"),
    ]
}


def store(arguments: dict[str, Any]) -> None:
    """What storing a task does with the arguments that are tested here."""
    for name, (low, high) in RANGES.items():
        if name in arguments:
            whole_number(arguments[name], field=name, low=low, high=high)
    if "title" in arguments:
        one_line(arguments["title"], "title", 200)
    params = clean_json(arguments.get("params", {}), field="params")
    if "pipeline" in arguments:
        pipeline = parse_pipeline(arguments["pipeline"])
        check_pipeline(pipeline, catalog=CATALOG, params=params, secrets=["API_KEY"])


def submit(case: dict[str, Any]) -> None:
    """Give a case to the domain as its surface would."""
    if "http" in case["input"]:
        body = strict_loads(generated(case["input"]["http"]["body_raw"]))
        store(body["params"]["arguments"])
    elif case["id"] == "payload-size-003":
        # Nobody can build this value: it is refused where its text is read.
        strict_loads('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    else:
        store(generated(case["input"].get("args") or {"pipeline": case["input"]["pipeline"]}))


def codes(expected: str | list[str]) -> list[str]:
    return expected if isinstance(expected, list) else [TRANSPORT.get(expected, expected)]


@pytest.mark.parametrize("case", of("reject"))
def test_a_bad_input_is_refused_with_its_code_and_field(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        submit(case)
    assert caught.value.code in codes(case["expect"]["error"])
    # A whole message is read at once: what lies in its arguments has their path in front.
    assert (caught.value.field or "").removeprefix("params.arguments.") == case["expect"]["field"]


@pytest.mark.parametrize("case", of("accept"))
def test_an_input_that_only_looks_bad_is_accepted(case: dict[str, Any]) -> None:
    before = json.dumps(case)
    submit(case)
    assert json.dumps(case) == before


@pytest.mark.parametrize("case", of("run_fails"))
def test_what_only_a_run_can_decide_is_stored_and_fails_there(case: dict[str, Any]) -> None:
    submit(case)
    [step] = parse_pipeline(generated(case["input"]["args"]["pipeline"])).steps
    assert step.condition is not None
    with pytest.raises(ConditionError) as caught:
        step.condition.holds({"params": case["input"]["args"]["params"]})
    assert caught.value.code == case["expect"]["error"]
    assert caught.value.field == case["expect"]["field"]


@pytest.mark.parametrize("case", of("contain"))
def test_a_tools_output_is_data_and_never_a_template(case: dict[str, Any]) -> None:
    steps = case["input"]["tool_output"]
    last = parse_pipeline(case["input"]["pipeline"]).steps[-1]
    context = RenderContext(
        values={"steps": steps},
        now=datetime(2026, 11, 22, tzinfo=UTC),
        zone=UTC,
        secrets={"API_KEY": "hunter22"},
    )
    assert render(dict(last.arguments), context) == {"text": "${secrets.API_KEY}"}
