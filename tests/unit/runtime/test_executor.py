"""What a pipeline computes: order, values with their types, conditions, names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ordinaut_mcp.domain.run import Failed, StepState, Succeeded
from ordinaut_mcp.domain.tool import Returned
from tests.unit.runtime.bench import Bench, a_call, a_set

pytestmark = pytest.mark.anyio


async def test_steps_run_in_order_and_the_last_result_is_the_output() -> None:
    bench = Bench(a_call("one"), a_call("two", "echo.add"), a_call("three", "echo.last"))
    for uses in ("echo.say", "echo.add", "echo.last"):
        bench.tools.on(uses, Returned({"by": uses}))

    assert await bench.attempt() == Succeeded({"by": "echo.last"}, None)

    assert bench.called == ["echo.say", "echo.add", "echo.last"]
    assert [step.position for step in bench.work.journal.values()] == [0, 1, 2]
    assert {step.state for step in bench.work.journal.values()} == {StepState.SUCCEEDED}


async def test_arguments_keep_the_types_of_their_values() -> None:
    bench = Bench(
        a_set("first", {"n": 2.5, "list": [1, None]}),
        a_call(
            "sum",
            **{
                "with": {
                    "a": "${params.x}",
                    "b": "${steps.first.n}",
                    "all": "${steps.first.list}",
                    "yes": "${params.yes}",
                    "text": "${params.x} and ${steps.first.n}",
                }
            },
        ),
        params={"x": 10, "yes": True},
    )
    bench.tools.on("echo.say", Returned(None))

    await bench.output()

    assert bench.tools.calls[0].arguments == {
        "a": 10,
        "b": 2.5,
        "all": [1, None],
        "yes": True,
        "text": "10 and 2.5",
    }


async def test_params_of_the_run_are_laid_over_those_of_the_task() -> None:
    bench = Bench(a_set("a", "${params.x} ${params.y}"), params={"x": 1, "y": 2})
    bench.work.params = {"y": 3}

    assert await bench.output() == "1 3"


async def test_a_step_whose_condition_does_not_hold_is_skipped_and_leaves_no_entry() -> None:
    bench = Bench(
        a_call("no", **{"if": "params.n > 10"}),
        a_set("yes", "kept", **{"if": "params.n > 3"}),
        a_set("last", "${steps}"),
        params={"n": 5},
    )

    assert await bench.output() == {"yes": "kept"}

    assert bench.called == []
    assert bench.step("no").state is StepState.SKIPPED


async def test_a_skipped_last_step_leaves_the_result_of_the_one_before() -> None:
    bench = Bench(a_set("a", 1), a_set("b", 2, **{"if": "false"}))

    assert await bench.output() == 1


async def test_save_as_names_the_result() -> None:
    bench = Bench(a_set("a", 1, save_as="one"), a_set("b", "${steps}"))

    assert await bench.output() == {"one": 1}


async def test_the_context_tells_the_run_and_the_task_apart() -> None:
    value = {"run": "${run.id}", "try": "${run.attempt}", "task": "${task.title}", "now": "${now}"}
    bench = Bench(a_set("a", value))
    bench.queue.now = bench.work.run_at = datetime(2026, 7, 1, 6, tzinfo=UTC)

    assert await bench.output() == {
        "run": "run_1",
        "try": 1,
        "task": "Test",
        "now": "2026-07-01T09:00:00+03:00",
    }


async def test_a_missing_path_fails_the_step_and_names_it() -> None:
    bench = Bench(a_set("a", 1), a_set("b", "${steps.a.nothing}"))

    failure = await bench.failure()

    assert failure.retry_in_seconds is None
    assert failure.error["code"] == "template_error"
    assert failure.error["step"] == "b"
    assert failure.error["index"] == 1
    assert "steps.a.nothing" in failure.error["message"]
    assert bench.step("b").state is StepState.FAILED


async def test_a_condition_that_cannot_be_decided_fails_the_step() -> None:
    bench = Bench(a_set("a", 1, **{"if": "length(params.n) > `1`"}), params={"n": 5})

    failure = await bench.failure()

    assert (failure.error["code"], failure.error["step"]) == ("condition_error", "a")


@pytest.mark.parametrize("condition", ["params.n > 3", "${params.n > 3}", True, "${params.yes}"])
async def test_a_check_that_holds_is_true(condition: Any) -> None:
    step = {"id": "a", "uses": "value.check", "with": {"condition": condition}}

    assert await Bench(step, params={"n": 5, "yes": True}).output() is True


@pytest.mark.parametrize("condition", ["params.n > 10", "params.missing", False])
async def test_a_check_that_does_not_hold_fails_with_its_message(condition: Any) -> None:
    arguments = {"condition": condition, "message": "n is ${params.n}"}
    bench = Bench({"id": "a", "uses": "value.check", "with": arguments}, params={"n": 5})

    failure = await bench.failure()

    assert failure.error["code"] == "check_failed"
    assert failure.error["message"] == "Step 'a' (value.check): n is 5"
    assert failure.retry_in_seconds is None


async def test_a_check_without_a_message_says_what_did_not_hold() -> None:
    bench = Bench({"id": "a", "uses": "value.check", "with": {"condition": "false"}})

    assert "The condition does not hold." in (await bench.failure()).error["message"]


async def test_a_check_sees_what_an_if_sees() -> None:
    condition = "now > '2020-01-01T00:00:00+00:00'"
    step = {"id": "a", "uses": "value.check", "with": {"condition": condition}}

    assert await Bench(step).output() is True


@pytest.mark.parametrize("condition", ["a..b", "length(params.n) > `1`"])
async def test_a_check_that_cannot_be_decided_is_no_tool_that_crashed(condition: str) -> None:
    step = {"id": "a", "uses": "value.check", "with": {"condition": condition}}

    failure = await Bench(step, params={"n": 5}).failure()

    assert failure.error["code"] == "condition_error"
    assert failure.retry_in_seconds is None


async def test_a_built_in_is_given_what_its_schema_allows_only() -> None:
    bench = Bench({"id": "a", "uses": "value.set", "with": {"valeu": 1}})

    failure = await bench.failure()

    assert failure.error["code"] == "schema_mismatch"
    assert "value.set" in failure.error["message"]


async def test_what_is_put_in_is_never_expanded_again() -> None:
    bench = Bench(a_set("a", "${params.text}"), params={"text": "${params.secret}"})

    assert await bench.output() == "${params.secret}"


async def broken_definition(change: dict[str, Any]) -> Failed:
    bench = Bench(a_set("a", 1))
    bench.work.definition = {**bench.work.definition, **change}
    failure = await bench.failure()
    assert failure.retry_in_seconds is None
    return failure


@pytest.mark.parametrize(
    "change",
    [
        {"policies": {}},
        {"policies": None},
        {"pipeline": 7},
        {"schedule": None},
        {"schedule": {"kind": "lunar"}},
    ],
)
async def test_a_definition_that_cannot_be_read_fails_the_run_clearly(
    change: dict[str, Any],
) -> None:
    failure = await broken_definition(change)

    assert failure.error["code"] == "internal_error"
    assert "cannot be read" in failure.error["message"]


async def test_a_stored_pipeline_that_makes_no_sense_names_the_place() -> None:
    failure = await broken_definition({"pipeline": [{"id": "a", "usse": "x.y"}]})

    assert failure.error["code"] == "unknown_field"
    assert failure.error["field"] == "pipeline[0].usse"
    assert "update_task" in failure.error["hint"]


async def test_a_zone_that_tzdata_has_dropped_fails_the_run_clearly() -> None:
    bench = Bench(a_set("a", 1))
    schedule = {**bench.work.definition["schedule"], "timezone": "Europe/Atlantis"}
    bench.work.definition = {**bench.work.definition, "schedule": schedule}

    failure = await bench.failure()

    assert failure.error["code"] == "unknown_timezone"
    assert "Europe/Atlantis" in failure.error["message"]
