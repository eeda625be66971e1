"""One process with everything in it: what is scheduled happens, and the journal has all of it."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.run import RunState, StepState
from tests.integration.runtime.station import ANN, Station

pytestmark = pytest.mark.anyio


def a_call(step_id: str, uses: str, **arguments: Any) -> dict[str, Any]:
    return {"id": step_id, "uses": uses, "with": arguments}


async def test_what_is_scheduled_happens_with_its_whole_journal(station: Station) -> None:
    steps = [
        a_call("hello", "echo.say", text="Hello ${params.who}"),
        a_call("sum", "echo.add", a="${params.n}", b="${length(steps.hello.text)}"),
        a_call("end", "value.set", value={"text": "${steps.hello.text}", "n": "${steps.sum.sum}"}),
    ]
    with anyio.fail_after(60):
        async with station.inside():
            saved = await station.services.tasks.schedule(
                ANN,
                {
                    "title": "Greet",
                    "schedule_expr": "in 1s",
                    "pipeline": steps,
                    "params": {"who": "Ann", "n": 10},
                },
            )
            run = await station.first_run(saved.task.name)

    assert (run.state, run.attempt, run.executed) == (RunState.SUCCEEDED, 1, True)
    assert run.output == {"text": "Hello Ann", "n": 19}
    assert run.lateness_ms is not None
    assert run.lateness_ms < 2_000
    hello, add, _ = run.steps
    assert (hello.uses, hello.input, hello.output) == (
        "echo.say",
        {"text": "Hello Ann"},
        {"text": "Hello Ann"},
    )
    assert (add.input, add.output) == ({"a": 10, "b": 9}, {"sum": 19})
    assert {step.state for step in run.steps} == {StepState.SUCCEEDED}
    assert all(step.started_at and step.finished_at for step in run.steps)


async def test_a_tool_is_given_the_key_of_its_step(station: Station) -> None:
    with anyio.fail_after(60):
        async with station.inside():
            run = await station.ended(await station.order(a_call("a", "echo.count")))

    [line] = station.count_file.read_text(encoding="utf-8").splitlines()
    key = json.loads(line)["key"]
    assert key.startswith(f"ordinaut-run_{run.id}-")
    assert key.endswith("/a")
    assert run.output == {"n": 1}


async def test_a_tool_that_fails_leaves_a_dead_letter_that_names_the_step(station: Station) -> None:
    with anyio.fail_after(60):
        async with station.inside():
            order = await station.order(a_call("a", "echo.fail", text="no luck"), max_retries=0)
            run = await station.ended(order)

    assert run.state is RunState.FAILED
    assert run.error is not None
    assert (run.error["code"], run.error["step"], run.error["index"]) == ("tool_error", "a", 0)
    assert "no luck" in run.error["message"]


async def test_a_run_of_several_leases_is_kept_by_heartbeats_and_done_once(
    station: Station,
) -> None:
    steps = [a_call("n", "echo.count"), a_call("long", "echo.sleep", seconds=2)]
    with anyio.fail_after(60):
        async with (
            station.inside(lease_seconds=0.6),
            station.inside(lease_seconds=0.6),
        ):
            run = await station.ended(await station.order(*steps))

    assert (run.state, run.attempt, run.output) == (RunState.SUCCEEDED, 1, {"slept": 2})
    assert len(station.count_file.read_text(encoding="utf-8").splitlines()) == 1


async def test_a_stop_lets_the_run_under_way_finish(station: Station) -> None:
    with anyio.fail_after(60):
        async with station.inside() as supervisor:
            run = await station.order(a_call("a", "gate.wait"))
            await station.until_calls("wait", 1)
            supervisor.stop()
            station.open_gate()
        ended = await station.ended(run, seconds=1)

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)
    assert await station.services.status.get(ANN)


async def test_a_run_that_waits_for_its_time_is_done_by_whoever_is_there_then(
    station: Station,
) -> None:
    with anyio.fail_after(60):
        async with station.inside():
            await station.ended(await station.order(a_call("a", "echo.count")))
        saved = await station.services.tasks.schedule(
            ANN,
            {"title": "Later", "schedule_expr": "in 1s", "pipeline": [a_call("a", "echo.count")]},
        )
        async with station.inside():
            run = await station.first_run(saved.task.name)

    assert (run.state, run.output) == (RunState.SUCCEEDED, {"n": 2})
    assert run.scheduled_for == saved.task.next_run_at
