"""Workers that are killed or stopped in the middle of a step, as processes of their own."""

from __future__ import annotations

import signal
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.run import RunState, StepState
from tests.integration.runtime.station import Station

pytestmark = pytest.mark.anyio

READY = "Running as"


def a_call(step_id: str, uses: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "uses": uses, **more}


STEPS = [
    a_call("before", "gate.count"),
    a_call("during", "gate.wait", **{"with": {"by": "attempt ${run.attempt}"}}),
    a_call("after", "gate.count", **{"with": {"saw": "${steps.during.by}"}}),
]


async def test_after_kill_9_in_a_step_another_worker_resumes_with_the_same_key(
    station: Station,
) -> None:
    with anyio.fail_after(90):
        async with station.inside("scheduler", lease_seconds=2):
            with station.outside("first", "worker") as first:
                await first.until_says(READY)
                run = await station.order(*STEPS)
                await station.until_calls("wait", 1)
                first.tell(signal.SIGKILL)
                assert await first.gone() == -signal.SIGKILL
            with station.outside("second", "worker", "reaper") as second:
                await station.until_calls("wait", 2)
                station.open_gate()
                ended = await station.ended(run)
                second.tell(signal.SIGTERM)
                assert await second.gone() == 0

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    one, two = station.calls("wait")
    # The same key, and the input that was journalled before the first call.
    assert one == two
    assert one["args"] == {"by": "attempt 1"}
    before, after = station.calls("count")
    assert before["key"].endswith("/before")
    assert after["args"] == {"saw": "attempt 1"}


async def test_kill_9_in_a_call_that_must_not_be_repeated_parks_the_run(station: Station) -> None:
    with anyio.fail_after(90):
        with station.outside("first", "worker") as first:
            await first.until_says(READY)
            run = await station.order(a_call("a", "gate.write"))
            await station.until_calls("wait", 1)
            first.tell(signal.SIGKILL)
            await first.gone()
        with station.outside("second", "worker", "reaper") as second:
            ended = await station.ended(run)
            second.tell(signal.SIGTERM)
            assert await second.gone() == 0

    assert ended.state is RunState.WAITING
    assert ended.error is not None
    assert (ended.error["code"], ended.error["step"]) == ("outcome_unknown", "a")
    assert len(station.calls("wait")) == 1


async def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(station: Station) -> None:
    with anyio.fail_after(90):
        with station.outside("zombie", "worker") as zombie:
            await zombie.until_says(READY)
            run = await station.order(*STEPS)
            await station.until_calls("wait", 1)
            zombie.tell(signal.SIGSTOP)
            with station.outside("other", "worker", "reaper") as other:
                await station.until_calls("wait", 2)
                station.open_gate()
                done = await station.ended(run)
                other.tell(signal.SIGTERM)
                assert await other.gone() == 0
            zombie.tell(signal.SIGCONT)
            await zombie.until_says("lease was lost")
            # It is none the worse for it: the next run is its own.
            following = await station.ended(await station.run_now(f"task_{run.task_id}"))
            zombie.tell(signal.SIGTERM)
            assert await zombie.gone() == 0
        after = await station.ended(run)

    assert (done.state, done.attempt) == (RunState.SUCCEEDED, 2)
    assert after == done
    assert {step.state for step in after.steps} == {StepState.SUCCEEDED}
    assert following.state is RunState.SUCCEEDED
    assert len(station.calls("count")) == 4
