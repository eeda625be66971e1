"""Plans: what is stored of a task is read once, and what is wrong with a call is found early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordinaut_mcp.domain.run import ClaimedRun, Failed, TaskId
from ordinaut_mcp.runtime.plans import Plans
from ordinaut_mcp.runtime.tools import PipelineTools
from tests.unit.runtime.bench import Bench, a_call, a_set

pytestmark = pytest.mark.anyio


async def a_run() -> ClaimedRun:
    return await Bench(a_set("a", 1), a_set("b", "${steps.a}")).claim()


async def test_the_plan_of_a_revision_is_read_once() -> None:
    plans, run = Plans(), await a_run()

    first = plans.of(run)

    assert plans.of(replace(run, attempt=2)) is first
    assert first.plain == {"a"}


async def test_another_definition_under_the_same_name_is_read_anew() -> None:
    plans, run = Plans(), await a_run()
    first = plans.of(run)
    changed = {**run.definition, "title": "Other"}

    assert plans.of(replace(run, definition=changed)).definition.title == "Other"
    assert first.definition.title == "Test"


async def test_plans_that_were_not_needed_lately_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.plans.KNOWN", 2)
    plans, run = Plans(), await a_run()
    first, second, third = (plans.of(replace(run, task_id=TaskId(number))) for number in (1, 2, 3))

    assert plans.of(replace(run, task_id=TaskId(3))) is third
    assert plans.of(replace(run, task_id=TaskId(2))) is second
    assert plans.of(replace(run, task_id=TaskId(1))) is not first


async def test_each_run_of_a_task_comes_to_the_same() -> None:
    bench = Bench(a_set("a", 1), a_set("b", "${params.n}"), params={"n": 2})
    definition = bench.work.definition

    assert await bench.output() == 2
    bench.run_id = bench.queue.add(definition, params={"n": 3})
    assert await bench.output() == 3


async def test_arguments_that_do_not_fit_fail_each_run_of_a_task() -> None:
    bench = Bench({"id": "a", "uses": "value.set", "with": {"valeu": 1}})
    definition = bench.work.definition
    failures = [await bench.failure()]
    bench.run_id = bench.queue.add(definition)
    failures.append(await bench.failure())

    assert [failure.error["code"] for failure in failures] == ["schema_mismatch"] * 2


async def test_a_call_that_cannot_be_rendered_is_not_made() -> None:
    bench = Bench(a_call("a", **{"with": {"text": "${params.nothing}"}}))

    failure = await bench.failure()

    assert (failure.error["code"], failure.error["step"]) == ("template_error", "a")
    assert bench.called == []
    assert "journal" not in bench.queue.calls


async def test_a_built_in_that_gets_wrong_arguments_is_not_called() -> None:
    failure = await Bench(a_call("a", "llm.plan", **{"with": {"instruct": "x"}})).failure()

    assert isinstance(failure, Failed)
    assert failure.error["code"] == "schema_mismatch"
    assert "llm.plan" in failure.error["message"]


async def test_a_built_in_that_crashes_while_computing_is_a_tool_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ordinaut_mcp.runtime.tools.COMPUTING", {"value.set": crash})
    assert PipelineTools.computes("value.set")

    failure = await Bench(a_set("a", 1)).failure()

    assert failure.error["code"] == "tool_error"
    assert "ZeroDivisionError" in failure.error["message"]
