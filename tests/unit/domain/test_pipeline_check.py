"""What is told when a pipeline is stored: references, tools, arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.domain.pipeline import parse_pipeline
from ordinaut_mcp.domain.pipeline_check import check_pipeline
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolSpec
from ordinaut_mcp.errors import InvalidInput, Unavailable

BRIEFING = Path(__file__).parents[2] / "cases" / "morning_briefing.json"


def tool(uses: str, *required: str, closed: bool = True, **properties: Any) -> ToolSpec:
    server, _, name = uses.partition(".")
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": not closed,
    }
    return ToolSpec(server=server, name=name, input_schema=schema)


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
CATALOG = {
    spec.uses: spec
    for spec in [
        tool("echo.say", "text", text=TEXT),
        tool("math.add", "a", "b", a=NUMBER, b=NUMBER),
        tool("weather-mcp.forecast", "city", city=TEXT, days={"type": "integer", "maximum": 14}),
        tool("google-calendar-mcp.list_events", "start", start=TEXT, end=TEXT),
        tool("imap-mcp.top_unread", count={"type": "integer"}),
        tool("llm.plan", "instruction", closed=False, instruction=TEXT),
        tool("telegram-mcp.send_message", "chat_id", "text", chat_id=NUMBER, text=TEXT),
        tool("free.call", closed=False),
        tool(
            "nest.put",
            "where",
            where={"type": "object", "properties": {"lat": NUMBER}, "required": ["lat"]},
            tags={"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
            mode={"enum": ["x", "y"]},
        ),
        ToolSpec(server="odd", name="external", input_schema={"$ref": "http://evil.example/x"}),
        ToolSpec(
            server="odd", name="pattern", input_schema={"properties": {"a": {"pattern": "(?=a)"}}}
        ),
        ToolSpec(
            server="odd",
            name="when",
            input_schema={
                "properties": {"mode": TEXT, "to": TEXT},
                "if": {"properties": {"mode": {"const": "mail"}}},
                "then": {"required": ["to"]},
            },
        ),
    ]
}


def call(uses: str = "echo.say", *, step_id: str = "a", **arguments: Any) -> dict[str, Any]:
    return {"id": step_id, "uses": uses, "with": arguments}


def check(*steps: dict[str, Any], **known: Any) -> list[str]:
    return check_pipeline(parse_pipeline(list(steps)), catalog=CATALOG, **known)


def refused(*steps: dict[str, Any], **known: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        check(*steps, **known)
    return caught.value


def test_the_morning_briefing_has_nothing_to_complain_of() -> None:
    raw = json.loads(BRIEFING.read_text("utf-8"))["payload"]["pipeline"]
    assert check(*raw, params={}) == []


@pytest.mark.parametrize(
    "text",
    [
        "${steps.first.text} ${params.x} ${event.topic} ${task.key} ${run.scheduled_for} ${now}",
        "${steps}",
        "${steps.saved || 'x'}",
        "${length(steps.first)}",
    ],
)
def test_references_to_what_can_be_there_are_fine(text: str) -> None:
    first = call("free.call", step_id="first")
    second = call("free.call", step_id="second") | {"save_as": "saved"}
    assert check(first, second, call(text=text)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env.HOME}", "there is no 'env' here"),
        ("${parms.x}", "there is no 'parms' here; did you mean 'params'?"),
        ("${steps.frist}", "no step before gives steps.frist; did you mean 'first'?"),
        ("${steps.a}", "steps.a is this step's own result, which is not there yet"),
        ("${steps.last}", "steps.last is not there yet: that step runs later, or at the same time"),
        ("${steps.kept}", "steps.kept is not there yet: that step runs later, or at the same time"),
        ("${steps.second}", "the result of step 'second' is saved as steps.saved"),
        (
            "${run.schedule_for}",
            "there is no 'schedule_for' in 'run'; did you mean 'scheduled_for'?",
        ),
        ("${item}", "there is no 'item' here"),
        ("${result}", "there is no 'result' here"),
        ("${@}", "the whole context cannot be read; begin with params, steps or another root"),
        ("https://${steps.a.host}/x", "steps.a is this step's own result, which is not there yet"),
    ],
)
def test_references_to_nothing_are_refused(text: str, message: str) -> None:
    error = refused(
        call("free.call", step_id="first"),
        call("free.call", step_id="second") | {"save_as": "saved"},
        call(text=text),
        call("free.call", step_id="last") | {"save_as": "kept"},
    )
    assert (error.code, error.field) == ("unknown_reference", "pipeline[2].with.text")
    assert error.message == f"Step 'a', pipeline[2].with.text: {message}"


def test_a_refused_reference_comes_with_what_is_there() -> None:
    first = call("free.call", step_id="first")
    assert refused(first, call(text="${steps.x}")).allowed == ["steps.first"]
    assert refused(call(text="${task.x}")).allowed == ["task.id", "task.key", "task.title"]
    assert refused(call(text="${env.X}")).allowed == [
        "event",
        "now",
        "params",
        "run",
        "steps",
        "task",
    ]


@pytest.mark.parametrize("key", ["if", "verify"])
def test_conditions_are_held_to_the_same_references(key: str) -> None:
    error = refused(
        call(text="x") | {key: "steps.later.ok == true"}, call(step_id="later", text="x")
    )
    assert (error.code, error.field) == ("unknown_reference", f"pipeline[0].{key}")


def test_verify_sees_the_result_and_what_was_before() -> None:
    assert check(call(text="x") | {"verify": "result.ok && steps.a && params.x"}) == []


def test_item_and_index_are_there_inside_for_each_only() -> None:
    each = call(text="${item} ${index}") | {"for_each": "${params.list}"}
    assert check(each) == []
    group = {"id": "p", "for_each": ["x"], "parallel": [call(text="${item}")]}
    assert check(group) == []
    error = refused(each | {"if": "item == 'x'"})
    assert error.field == "pipeline[0].if"
    error = refused(each | {"for_each": "${item}"})
    assert error.field == "pipeline[0].for_each"


def test_steps_that_run_together_do_not_see_each_other_but_are_seen_afterwards() -> None:
    left, right = call(step_id="left", text="x"), call(step_id="right", text="${steps.left}")
    assert (
        refused({"id": "p", "parallel": [left, right]}).field == "pipeline[0].parallel[1].with.text"
    )
    group = {"id": "p", "parallel": [left, call(step_id="right", text="y")]}
    assert check(group, call(text="${steps.left} ${steps.right} ${steps.p}")) == []


@pytest.mark.parametrize(
    ("uses", "message", "allowed"),
    [
        (
            "weather-mcp.forcast",
            (
                "the tool server 'weather-mcp' has no tool 'forcast';"
                " did you mean 'weather-mcp.forecast'?"
            ),
            ["weather-mcp.forecast"],
        ),
        ("weather-mcp.zzzzz", "the tool server 'weather-mcp' has no tool 'zzzzz'", None),
        (
            "wether-mcp.forecast",
            "there is no tool server 'wether-mcp'; did you mean 'weather-mcp.forecast'?",
            ["weather-mcp.forecast"],
        ),
        ("qqq.zzz", "there is no tool server 'qqq'", None),
        ("idle.zzz", "the tool server 'idle' has no tool 'zzz'", None),
    ],
)
def test_an_unknown_tool_is_answered_with_near_names(
    uses: str, message: str, allowed: list[str] | None
) -> None:
    error = refused(call(uses), servers=["idle"])
    assert (error.code, error.field) == ("unknown_tool", "pipeline[0].uses")
    assert error.message == f"Step 'a', pipeline[0].uses: {message}"
    assert error.allowed == allowed


@pytest.mark.parametrize(
    ("state", "message", "retry_after"),
    [
        (ServerState.STARTING, "the tool server 'slow' is still starting", 5.0),
        (ServerState.FAILED, "the tool server 'slow' does not answer: no such file", None),
    ],
)
def test_a_server_that_is_not_ready_is_told_apart_from_an_unknown_tool(
    state: ServerState, message: str, retry_after: float | None
) -> None:
    why = "no such file" if state is ServerState.FAILED else None
    with pytest.raises(Unavailable) as caught:
        check(
            call("slow.tool"),
            not_ready={"slow": ServerStatus(server="slow", state=state, error=why)},
        )
    assert (caught.value.code, caught.value.field) == ("tool_unavailable", "pipeline[0].uses")
    assert caught.value.message == f"Step 'a', pipeline[0].uses: {message}"
    assert caught.value.retry_after == retry_after


def test_a_removed_server_has_no_tools() -> None:
    gone = ServerStatus(server="gone", state=ServerState.REMOVED)
    assert refused(call("gone.tool"), not_ready={"gone": gone}).code == "unknown_tool"


@pytest.mark.parametrize(
    ("step", "field", "told"),
    [
        (call(text="x", extra=1), "extra", "is not known"),
        (call(txet="x"), "txet", "is not known; did you mean 'text'?"),
        (call(), "text", "is missing"),
        (call(text=5), "text", "must be string"),
        (call("math.add", a="${params.x}", b="5"), "b", "must be number"),
        (call("math.add", a="${params.x}"), "b", "is missing"),
        (call("math.add", a="${params.x}", b=1, c="${params.y}"), "c", "is not known"),
        (call("math.add", a="about ${params.x}", b=1), "a", "must be number"),
        (call("math.add", a="${secrets.KEY}", b=1), "a", "must be number"),
        (call("weather-mcp.forecast", city="${params.c}", days=15), "days", "maximum"),
        (call("nest.put", where={}), "where.lat", "is missing"),
        (call("nest.put", where={"lat": "${params.l}"}, tags=["${item}"]), "tags", ""),
        (call("nest.put", where={"lat": 1}, tags=["a", "c"]), "tags[1]", 'must be one of "a", "b"'),
        (call("nest.put", where="${params.w} x"), "where", "must be object"),
        (call("odd.when", mode="mail"), "to", "is missing"),
    ],
)
def test_arguments_that_cannot_fit_are_refused(step: dict[str, Any], field: str, told: str) -> None:
    error = refused(step | {"for_each": ["x"]})
    assert (error.code, error.field) == ("schema_mismatch", f"pipeline[0].with.{field}")
    assert told in error.message


def test_a_refusal_says_what_the_tool_takes() -> None:
    error = refused(call("weather-mcp.forecast", citty="Oslo"))
    assert error.hint == "weather-mcp.forecast takes: city, days."
    assert error.allowed == ["city", "days"]
    assert refused(call("nest.put", where={"lat": 1}, mode="z")).allowed == ['"x"', '"y"']


@pytest.mark.parametrize(
    "step",
    [
        call(text="${params.anything}"),
        call("math.add", a="${params.x}", b="${steps}"),
        call("nest.put", where="${params.where}", tags="${params.tags}"),
        call("nest.put", where={"lat": "${params.lat}"}, tags=["${params.t}", "${params.t}"]),
        call("nest.put", where={"lat": 1}, mode="${params.mode}"),
        call("nest.put", where={"lat": 1}, mode="pre-${params.mode}"),
        call("odd.when", mode="${params.mode}"),
        call("odd.when", mode="pre-${params.mode}"),
        call("free.call", whatever=["${params.x}"]),
    ],
)
def test_what_only_a_run_can_know_is_no_reason_to_refuse(step: dict[str, Any]) -> None:
    assert check(step) == []


def test_parameters_that_are_known_are_checked_with_their_values() -> None:
    adds = call("math.add", a="${params.x}", b="${params.y}")
    assert check(adds, params={"x": 10, "y": 5}) == []
    error = refused(adds, params={"x": 10, "y": "five"})
    assert (error.code, error.field) == ("schema_mismatch", "pipeline[0].with.b")
    nested = call("nest.put", where={"lat": "${params.x}"}, tags=["${params.t}", "a"])
    assert check(nested, params={"x": 1, "t": "b"}) == []
    assert refused(nested, params={"x": 1, "t": "z"}).field == "pipeline[0].with.tags[0]"


def test_a_parameter_that_the_task_does_not_give_is_a_warning() -> None:
    assert check(call(text="${params.citty}"), params={"city": "Oslo"}) == [
        (
            "pipeline[0].with.text reads params.citty, which the task does not give;"
            " did you mean 'city'?"
        )
    ]


def test_a_template_that_fails_on_the_known_parameters_is_a_warning() -> None:
    assert check(call(text="${length(params.n)}"), params={"n": 5}) == [
        (
            "pipeline[0].with.text: ${length(params.n)} length() takes string or array or object,"
            " not number"
        )
    ]


def test_a_schema_that_cannot_be_used_is_a_warning_and_told_once() -> None:
    [warning] = check(call("odd.external", x=1), call("odd.external", step_id="b"))
    assert warning.startswith("The arguments of odd.external cannot be checked: ")
    assert check(call("odd.pattern", a="x")) == [
        "the input schema of odd.pattern: the pattern '(?=a)' is not checked"
    ]


def test_a_secret_that_the_owner_may_not_use_does_not_exist() -> None:
    step = call("free.call", key="${secrets.API_KEY}")
    assert check(step) == []
    assert check(step, secrets=["API_KEY"]) == []
    error = refused(step, secrets=["OTHER"])
    assert (error.code, error.field) == ("unknown_secret", "pipeline[0].with.key")
    assert error.message == (
        "Step 'a', pipeline[0].with.key: there is no secret API_KEY for this task"
    )


def test_two_steps_under_one_name_are_a_warning_unless_they_are_alternatives() -> None:
    first = call(step_id="one", text="x") | {"save_as": "out"}
    second = call(step_id="two", text="x") | {"save_as": "out"}
    assert check(first, second) == ["pipeline[1].save_as: steps.out of step 'one' is replaced"]
    assert check(first | {"if": "params.a"}, second | {"if": "!params.a"}) == []
