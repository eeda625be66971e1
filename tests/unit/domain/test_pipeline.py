"""A pipeline is read strictly: each fault is named where it stands."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.domain.pipeline import OnUnknown, Pipeline, Step, parse_pipeline
from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.errors import InvalidInput

BRIEFING = Path(__file__).parents[2] / "cases" / "morning_briefing.json"


def step(**keys: Any) -> dict[str, Any]:
    return {"id": "a", "uses": "echo.say", "with": {"text": "hi"}} | keys


def only(**keys: Any) -> Step:
    [parsed] = parse_pipeline([step(**keys)]).steps
    return parsed


def refused(raw: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_pipeline(raw)
    return caught.value


def test_the_morning_briefing_is_read_as_it_is_printed() -> None:
    raw = json.loads(BRIEFING.read_text("utf-8"))["payload"]["pipeline"]
    pipeline = parse_pipeline(raw)
    assert [(each.uses, each.save_as) for each in pipeline.steps] == [
        ("google-calendar-mcp.list_events", "events"),
        ("weather-mcp.forecast", "weather"),
        ("imap-mcp.top_unread", "inbox"),
        ("llm.plan", "summary"),
        ("telegram-mcp.send_message", "notify"),
    ]
    assert pipeline.steps[0].arguments == {"start": "${now}", "end": "${now+24h}"}
    assert pipeline.features() == frozenset()


def test_a_step_without_more_has_the_plain_defaults() -> None:
    plain = only()
    assert (plain.id, plain.save_as, plain.field) == ("a", "a", "pipeline[0]")
    assert (plain.condition, plain.timeout, plain.retry, plain.on_unknown) == (None,) * 4
    assert not plain.on_error.continues
    assert parse_pipeline([{"id": "a", "uses": "x.y"}]).steps[0].arguments == {}


def test_every_key_is_read() -> None:
    whole = only(
        **{"if": "params.city != `null`"},
        save_as="weather",
        timeout_seconds=30,
        retry={"max_attempts": 3, "backoff": "fixed", "base_seconds": 2, "max_seconds": 60},
        on_error={"strategy": "continue", "fallback_value": {"temp": None}},
        on_unknown="ask",
        for_each="${params.cities}",
        max_parallel=4,
        verify="result.temp > -90",
        output_schema={"type": "object"},
        secret=True,
    )
    assert whole.condition is not None
    assert whole.verify is not None
    assert whole.condition.holds({"params": {"city": "Oslo"}})
    assert whole.verify.holds({"result": {"temp": 3}})
    assert (whole.save_as, whole.timeout, whole.on_unknown) == (
        "weather",
        timedelta(seconds=30),
        OnUnknown.ASK,
    )
    assert (whole.on_error.continues, whole.on_error.fallback) == (True, {"temp": None})
    assert (whole.for_each, whole.max_parallel, whole.secret) == ("${params.cities}", 4, True)
    assert whole.output_schema == {"type": "object"}


def over(policy: RetryPolicy, **retry: Any) -> RetryPolicy:
    """The task's policy with the step's retry over it."""
    parsed = only(retry=retry).retry
    assert parsed is not None
    return parsed.over(policy)


def test_a_steps_retry_lies_over_the_tasks() -> None:
    task = RetryPolicy(max_retries=7, base=timedelta(seconds=5), longest=timedelta(seconds=50))
    assert over(task, max_attempts=3) == RetryPolicy(
        max_retries=2, base=timedelta(seconds=5), longest=timedelta(seconds=50)
    )
    assert over(
        task, max_attempts=1, backoff="fixed", base_seconds=2, max_seconds=60
    ) == RetryPolicy(
        max_retries=0,
        backoff=Backoff.FIXED,
        base=timedelta(seconds=2),
        longest=timedelta(seconds=60),
    )
    assert over(task, base_seconds=90).longest == timedelta(seconds=90)
    assert over(task, max_seconds=1).base == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("on_error", "continues"),
    [
        ("fail", False),
        ("continue", True),
        ({"strategy": "fail"}, False),
        ({"strategy": "continue"}, True),
    ],
)
def test_on_error_is_a_word_or_an_object(on_error: object, continues: bool) -> None:
    assert only(on_error=on_error).on_error.continues is continues


def grouped() -> Pipeline:
    return parse_pipeline(
        [
            {
                "id": "both",
                "parallel": [step(id="left"), step(id="right", save_as="r")],
                "for_each": ["x", "${params.y}"],
            },
            step(id="after", **{"with": {"key": "${secrets.API_KEY}"}}, on_unknown="fail"),
        ]
    )


def test_steps_that_run_together_are_steps_of_the_pipeline() -> None:
    pipeline = grouped()
    assert [each.id for each in pipeline.every_step()] == ["both", "left", "right", "after"]
    assert pipeline.steps[0].parallel[1].field == "pipeline[0].parallel[1]"
    assert pipeline.steps[0].for_each == ["x", "${params.y}"]
    assert pipeline.steps[0].uses == ""


def test_a_pipeline_tells_which_parts_of_the_language_it_uses() -> None:
    assert grouped().features() == {"parallel", "for_each", "secrets", "on_unknown"}
    assert parse_pipeline([step(secret=True, verify="result")]).features() == {"secret"}


LISTS: list[tuple[Any, str, str]] = [
    (None, "wrong_type", "pipeline"),
    ({"id": "a"}, "wrong_type", "pipeline"),
    ("[]", "wrong_type", "pipeline"),
    ([], "out_of_range", "pipeline"),
    ([step(id=f"s{n}") for n in range(51)], "out_of_range", "pipeline"),
    (["a"], "wrong_type", "pipeline[0]"),
    ([step(), step()], "duplicate_id", "pipeline[1].id"),
    ([step(), step(id="b", save_as="a")], "duplicate_id", "pipeline[1].save_as"),
    ([{"uses": "x.y"}], "missing", "pipeline[0].id"),
    ([{"id": "a"}], "missing", "pipeline[0].uses"),
    ([step(), {"id": "p", "parallel": []}], "out_of_range", "pipeline[1].parallel"),
    ([step(), {"id": "p", "parallel": [step()]}], "duplicate_id", "pipeline[1].parallel[0].id"),
    ([{"id": "p", "parallel": [step()], "uses": "x.y"}], "invalid", "pipeline[0].uses"),
    ([{"id": "p", "parallel": [step()], "with": {}}], "invalid", "pipeline[0].with"),
]


@pytest.mark.parametrize(("raw", "code", "field"), LISTS)
def test_a_list_of_steps_that_is_none_is_refused(raw: object, code: str, field: str) -> None:
    error = refused(raw)
    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize(
    ("keys", "code", "field"),
    [
        ({"usse": 1}, "unknown_field", "usse"),
        ({"x" * 100: 1}, "unknown_field", "x" * 60 + "…"),
        ({"id": "A B"}, "invalid_id", "id"),
        ({"id": "a\n"}, "invalid_id", "id"),
        ({"id": "a" * 64}, "invalid_id", "id"),
        ({"id": 5}, "wrong_type", "id"),
        ({"save_as": "1a"}, "invalid_id", "save_as"),
        ({"uses": ""}, "invalid_tool_name", "uses"),
        ({"uses": "echo"}, "invalid_tool_name", "uses"),
        ({"uses": "../../bin/sh.x"}, "invalid_tool_name", "uses"),
        ({"uses": "${params.tool}"}, "invalid_tool_name", "uses"),
        ({"uses": 5}, "wrong_type", "uses"),
        ({"with": []}, "wrong_type", "with"),
        ({"with": {"a": {"b": "${"}}}, "invalid_template", "with.a.b"),
        ({"with": {"a": {"${x}": 1}}}, "invalid_template", "with.a"),
        ({"with": {"a": float("nan")}}, "invalid_number", "with.a"),
        ({"if": 5}, "wrong_type", "if"),
        ({"if": "invalid..expression"}, "invalid_condition", "if"),
        ({"verify": "a."}, "invalid_condition", "verify"),
        ({"timeout_seconds": 0}, "out_of_range", "timeout_seconds"),
        ({"timeout_seconds": 3_601}, "out_of_range", "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "out_of_range", "timeout_seconds"),
        ({"timeout_seconds": "30"}, "wrong_type", "timeout_seconds"),
        ({"timeout_seconds": True}, "wrong_type", "timeout_seconds"),
        ({"retry": 3}, "wrong_type", "retry"),
        ({"retry": {"max": 3}}, "unknown_field", "retry.max"),
        ({"retry": {"max_attempts": 0}}, "out_of_range", "retry.max_attempts"),
        ({"retry": {"max_attempts": 11}}, "out_of_range", "retry.max_attempts"),
        ({"retry": {"backoff": "exponental"}}, "not_allowed", "retry.backoff"),
        ({"retry": {"backoff": 1}}, "wrong_type", "retry.backoff"),
        ({"retry": {"base_seconds": -1}}, "out_of_range", "retry.base_seconds"),
        ({"retry": {"base_seconds": 9, "max_seconds": 3}}, "out_of_range", "retry.base_seconds"),
        ({"on_error": "ignore"}, "not_allowed", "on_error"),
        ({"on_error": 5}, "wrong_type", "on_error"),
        ({"on_error": {"fallback_value": 1}}, "missing", "on_error.strategy"),
        (
            {"on_error": {"strategy": "continue", "fallback_value": "\0"}},
            "invalid_text",
            "on_error.fallback_value",
        ),
        ({"on_unknown": "guess"}, "not_allowed", "on_unknown"),
        ({"for_each": "${params.a} and more"}, "wrong_type", "for_each"),
        ({"for_each": "plain"}, "wrong_type", "for_each"),
        ({"for_each": 5}, "wrong_type", "for_each"),
        ({"for_each": "${secrets.API_KEY}"}, "invalid_template", "for_each"),
        ({"max_parallel": 2}, "invalid", "max_parallel"),
        ({"for_each": ["x"], "max_parallel": 0}, "out_of_range", "max_parallel"),
        ({"secret": "yes"}, "wrong_type", "secret"),
        ({"output_schema": {"type": "strin"}}, "invalid_schema", "output_schema"),
        ({"output_schema": []}, "wrong_type", "output_schema"),
        ({"with": {"a": ["${now}"] * 1_001}}, "too_complex", "with"),
    ],
)
def test_a_fault_in_a_step_is_named_where_it_stands(
    keys: dict[str, Any], code: str, field: str
) -> None:
    error = refused([step(id="first"), step(**keys)])
    assert (error.code, error.field) == (code, f"pipeline[1].{field}")


def test_an_error_names_the_step_its_index_and_the_expression() -> None:
    error = refused([step(id="greet", **{"with": {"text": "Hello ${params.name"}})])
    assert error.message == (
        "Step 'greet': pipeline[0].with.text: '${params.name' is not closed; '}' is missing"
    )


def test_a_slip_is_answered_with_the_word_that_was_meant() -> None:
    assert refused([step(usse=1)]).message == "pipeline[0] has no key 'usse'; did you mean 'uses'?"
    error = refused([step(retry={"backoff": "exponental"})])
    assert error.allowed == ["exponential_jitter", "exponential", "fixed"]
    assert error.hint == "Did you mean 'exponential'?"
    assert refused([step(on_error="zzz")]).hint is None


def test_a_pipeline_is_at_most_64_kib() -> None:
    raw = [step(id=f"s{n}", **{"with": {"text": "x" * 2_000}}) for n in range(40)]
    assert (refused(raw).code, refused(raw).field) == ("too_large", "pipeline")


def test_groups_nest_three_deep_and_no_deeper() -> None:
    inner = step(id="inner")
    for depth in range(3):
        inner = {"id": f"p{depth}", "parallel": [inner]}
    assert len(list(parse_pipeline([inner]).every_step())) == 4
    error = refused([{"id": "p4", "parallel": [inner]}])
    assert error.code == "too_deep"


def test_the_argument_gives_the_name_of_the_field() -> None:
    nameless: dict[str, Any] = {}
    with pytest.raises(InvalidInput) as caught:
        parse_pipeline([nameless], field="payload.pipeline")
    assert caught.value.field == "payload.pipeline[0].id"
