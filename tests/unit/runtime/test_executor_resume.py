"""A run goes on where it was: what has succeeded is not called again, and keys stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.run import Failed, JournalEntry, Parked, RunState, StepState, Succeeded
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned
from ordinaut_mcp.runtime.persistence import LeaseLost
from ordinaut_mcp.runtime.scene import idempotency_key
from tests.doubles.scripted_tools import WRITES, WorkerDied
from tests.unit.runtime.bench import BROKEN, Bench, a_call, a_set

pytestmark = pytest.mark.anyio

DIED = WorkerDied()


async def test_after_a_crash_succeeded_steps_are_read_back_and_not_called_again() -> None:
    bench = Bench(a_call("a"), a_call("b", "echo.add"), a_set("c", "${steps}"))
    bench.tools.on("echo.say", Returned({"n": 1}))
    bench.tools.on("echo.add", DIED, Returned(2))

    await bench.crash()

    assert await bench.output() == {"a": {"n": 1}, "b": 2}
    assert bench.called == ["echo.say", "echo.add", "echo.add"]


async def test_skipped_steps_stay_skipped_on_a_resume() -> None:
    steps = [
        a_call("a", **{"if": "run.attempt > 1"}),
        a_call("b", "echo.add"),
        a_set("c", "${steps}"),
    ]
    bench = Bench(*steps)
    bench.tools.on("echo.add", DIED, Returned(2))

    await bench.crash()

    assert await bench.output() == {"b": 2}
    assert bench.step("a").state is StepState.SKIPPED


async def test_the_interrupted_call_is_made_again_with_the_same_key_and_input() -> None:
    bench = Bench(a_call("a", **{"with": {"try": "${run.attempt}"}}))
    bench.tools.on("echo.say", DIED, Returned(1))

    await bench.crash()
    await bench.output()

    first, again = bench.tools.calls
    assert first.key == again.key
    # The rendered input of the first call, though the attempt is another one now.
    assert first.arguments == again.arguments == {"try": 1}


async def test_an_interrupted_call_is_made_again_though_its_condition_would_not_hold_now() -> None:
    bench = Bench(a_call("a", **{"if": "run.attempt == `1`"}))
    bench.tools.on("echo.say", DIED, Returned("done"))

    await bench.crash()

    assert await bench.output() == "done"


async def test_an_interrupted_call_of_a_tool_that_writes_parks_the_run_and_asks() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", DIED, hints=WRITES)

    await bench.crash()
    parked = await bench.parked()

    assert (parked.error["code"], parked.error["index"]) == ("outcome_unknown", 0)
    assert "worker stopped" in parked.error["message"]
    assert len(bench.tools.calls) == 1


async def test_on_unknown_retry_repeats_an_interrupted_call_of_a_tool_that_writes() -> None:
    bench = Bench(a_call("a", on_unknown="retry"))
    bench.tools.on("echo.say", DIED, Returned(1), hints=WRITES)

    await bench.crash()

    assert await bench.output() == 1
    assert len({call.key for call in bench.tools.calls}) == 1


async def test_on_unknown_fail_fails_an_interrupted_run_without_another_call() -> None:
    bench = Bench(a_call("a", on_unknown="fail"))
    bench.tools.on("echo.say", DIED)

    await bench.crash()

    assert (await bench.failure()).error["code"] == "outcome_unknown"
    assert len(bench.tools.calls) == 1


async def test_a_tool_that_has_gone_meanwhile_is_not_taken_for_harmless() -> None:
    bench = Bench(a_call("a", "gone.tool"))
    bench.tools.on("gone.tool", DIED)
    await bench.crash()
    bench.tools.on("gone.tool", Returned(1), hints=WRITES)

    assert isinstance(await bench.attempt(), Parked)


async def test_a_process_that_has_just_started_waits_for_the_catalog_before_it_judges() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", DIED, Returned(1))

    await bench.crash()
    bench.tools.looks_until_known = 2

    assert await bench.output() == 1


async def test_a_tool_that_never_comes_up_is_not_taken_for_harmless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.tools.CATALOG_WITHIN", timedelta(milliseconds=20))
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", DIED)

    await bench.crash()
    bench.tools.looks_until_known = 10**6

    assert (await bench.parked()).error["code"] == "outcome_unknown"


async def unsettled(bench: Bench) -> None:
    """An attempt whose journal was written and whose run was not settled, as by older versions."""
    claimed = await bench.claim()
    attempt = bench.executor.begin(claimed, lambda: True)
    await attempt.carry_out()
    assert not await bench.queue.journal([JournalEntry(claimed.lease, attempt.lines)])
    await bench.reap()


async def test_a_question_that_could_not_be_asked_is_asked_and_the_call_not_repeated() -> None:
    bench = Bench(a_call("a"))
    late = Fault(kind=FaultKind.TIMEOUT, message="no answer", sent=True)
    bench.tools.on("echo.say", late, Returned(1), hints=WRITES)
    await unsettled(bench)

    assert (await bench.parked()).error["code"] == "outcome_unknown"
    assert len(bench.tools.calls) == 1


@pytest.mark.parametrize(
    ("more", "answer", "expected"),
    [
        ({"on_unknown": "fail"}, Fault(kind=FaultKind.TIMEOUT, message="", sent=True), None),
        ({"verify": "result.ok"}, Returned({"ok": False}), False),
        ({}, Fault(kind=FaultKind.BAD_OUTPUT, message="", sent=True), None),
    ],
)
async def test_a_step_that_failed_for_good_is_not_called_again_by_the_next_attempt(
    more: dict[str, Any], answer: Any, expected: bool | None
) -> None:
    bench = Bench(a_call("a", **more))
    bench.tools.on("echo.say", answer, Returned({"ok": True}), hints=WRITES)
    await unsettled(bench)

    outcome = await bench.attempt()

    assert isinstance(outcome, Failed)
    assert (outcome.retry_in_seconds, outcome.verified) == (None, expected)
    assert len(bench.tools.calls) == 1


async def test_a_verdict_is_read_back() -> None:
    bench = Bench(a_call("a", verify="result.ok"), a_call("b", "echo.add"))
    bench.tools.on("echo.say", Returned({"ok": True}))
    bench.tools.on("echo.add", DIED, Returned(2))

    await bench.crash()

    assert await bench.attempt() == Succeeded(2, verified=True)


async def test_the_key_of_a_step_stays_over_failures_releases_and_crashes() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", BROKEN, DIED, BROKEN, Returned(1))

    await bench.failure()
    await bench.crash()
    await bench.failure()
    await bench.output()

    assert len(bench.tools.calls) == 4
    assert len({call.key for call in bench.tools.calls}) == 1


async def test_each_step_of_each_run_has_a_key_of_its_own() -> None:
    bench = Bench(a_call("a"), a_call("b"))
    bench.tools.on("echo.say", Returned(1))
    await bench.output()
    bench.run_id = bench.queue.add(bench.work.definition)
    await bench.output()

    assert len({call.key for call in bench.tools.calls}) == 4


async def test_the_same_run_number_in_another_database_has_another_key() -> None:
    bench = Bench(a_call("a"))
    claimed = await bench.claim()
    made_later = replace(
        claimed.lease, created_at=claimed.lease.created_at + timedelta(microseconds=1)
    )

    elsewhere = replace(claimed, lease=made_later)

    assert idempotency_key(claimed, "a") != idempotency_key(elsewhere, "a")
    assert idempotency_key(claimed, "a").startswith("ordinaut-run_1-")


async def test_a_template_names_the_key_of_the_run() -> None:
    bench = Bench(a_set("a", "${run.idempotency_key}"))
    claimed = await bench.claim()

    outcome = await bench.carry_out(claimed)

    assert outcome == Succeeded(idempotency_key(claimed, ""), None)
    assert idempotency_key(claimed, "a") == idempotency_key(claimed, "") + "/a"


async def test_failures_that_a_crash_cut_off_still_count() -> None:
    retry = {"max_attempts": 2, "base_seconds": 0}
    bench = Bench(a_call("a", retry=retry))
    bench.tools.on("echo.say", BROKEN)
    await unsettled(bench)

    assert (await bench.failure()).retry_in_seconds is None
    assert len(bench.tools.calls) == 2


async def test_an_attempt_whose_lease_is_lost_stops_before_the_next_call() -> None:
    bench = Bench(a_call("a"), a_call("b"))

    def lose(_: object) -> Returned:
        bench.work.epoch += 1
        return Returned(1)

    bench.tools.on("echo.say", lose)
    claimed = await bench.claim()

    with pytest.raises(LeaseLost):
        await bench.carry_out(claimed)

    assert len(bench.tools.calls) == 1
    assert bench.step("a").state is StepState.RUNNING


async def test_an_attempt_whose_lease_is_lost_makes_no_call() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Returned(1))
    claimed = await bench.claim()
    await bench.reap()

    with pytest.raises(LeaseLost):
        await bench.carry_out(claimed)

    assert bench.called == []


async def test_what_must_be_journalled_is_tried_until_the_database_answers() -> None:
    bench = Bench(a_call("a"))

    def leave(_: object) -> Returned:
        bench.queue.is_away = True
        return Returned(1)

    bench.tools.on("echo.say", leave)
    claimed = await bench.claim()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.carry_out, claimed)
            await bench.tools.begun.wait()
            while bench.queue.calls.count("settle") < 2:
                await anyio.lowlevel.checkpoint()
            bench.queue.is_away = False

    assert bench.step("a").state is StepState.SUCCEEDED
    assert len(bench.tools.calls) == 1


async def test_a_released_attempt_goes_on_in_another_worker_as_if_nothing_had_been() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", DIED, Returned(1))
    claimed = await bench.claim()
    with pytest.raises(WorkerDied):
        await bench.carry_out(claimed)
    bench.work.state, bench.work.attempt = RunState.QUEUED, 0

    assert await bench.output() == 1
    assert bench.work.attempt == 1
