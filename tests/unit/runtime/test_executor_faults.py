"""What goes wrong with a step, and what that means for the run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.domain.run import Failed, RunState, StepState, Succeeded
from ordinaut_mcp.domain.task import Policies
from ordinaut_mcp.domain.tool import RETRIED, Fault, FaultKind, Returned
from tests.doubles.scripted_tools import WRITES
from tests.unit.runtime.bench import BROKEN, Bench, a_call, a_set

pytestmark = pytest.mark.anyio

NO_REST = RetryPolicy(max_retries=3, backoff=Backoff.FIXED, base=timedelta(0))
AT_ONCE = Policies(retry=NO_REST)
CONTINUE = {"strategy": "continue", "fallback_value": {"temp": None}}


async def test_a_failing_step_names_itself_its_index_and_the_reason() -> None:
    bench = Bench(a_set("a", 1), a_call("b"))
    bench.tools.on("echo.say", BROKEN)

    failure = await bench.failure()

    assert failure.error["message"] == "Step 'b' (echo.say): it went wrong"
    assert (failure.error["code"], failure.error["step"]) == ("tool_error", "b")
    assert failure.error["index"] == 1
    assert bench.step("b").error == failure.error


async def test_a_hint_of_the_tool_reaches_the_run() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Fault(kind=FaultKind.DENIED, message="no", hint="Ask for it."))

    assert (await bench.failure()).error["hint"] == "Ask for it."


async def test_three_retries_are_four_attempts() -> None:
    bench = Bench(a_call("a"), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN)

    for _ in range(3):
        assert (await bench.failure()).retry_in_seconds == 0
    assert (await bench.failure()).retry_in_seconds is None

    assert len(bench.tools.calls) == 4
    assert bench.work.state is RunState.FAILED


async def test_rests_grow_between_half_and_the_whole_of_their_step() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", BROKEN)

    rests = [(await bench.failure()).retry_in_seconds or 0 for _ in range(3)]

    assert 0.5 <= rests[0] <= 1
    assert 1 <= rests[1] <= 2
    assert 2 <= rests[2] <= 4


async def test_a_retried_step_may_still_succeed() -> None:
    bench = Bench(a_set("a", 1), a_call("b"), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN, BROKEN, Returned("well"))

    await bench.failure()
    await bench.failure()

    assert await bench.output() == "well"
    assert (bench.step("b").state, bench.step("b").attempt) == (StepState.SUCCEEDED, 3)
    assert bench.step("a").attempt == 1


async def test_the_retries_of_a_step_go_over_those_of_the_task() -> None:
    retry = {"max_attempts": 2, "backoff": "fixed", "base_seconds": 7}
    bench = Bench(a_call("a", retry=retry), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN)

    assert (await bench.failure()).retry_in_seconds == 7
    assert (await bench.failure()).retry_in_seconds is None


async def test_one_attempt_means_no_retry() -> None:
    bench = Bench(a_call("a", retry={"max_attempts": 1}))
    bench.tools.on("echo.say", BROKEN)

    assert (await bench.failure()).retry_in_seconds is None


async def test_steps_share_the_retries_of_the_task() -> None:
    bench = Bench(a_call("a"), a_call("b", "echo.add"), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN, BROKEN, Returned(1))
    bench.tools.on("echo.add", BROKEN)

    rests = [(await bench.failure()).retry_in_seconds for _ in range(4)]

    assert rests == [0, 0, 0, None]


async def test_a_fallback_holds_as_soon_as_the_task_has_no_retries_left() -> None:
    bench = Bench(a_call("a"), a_call("b", "echo.add", on_error=CONTINUE), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN, BROKEN, BROKEN, Returned(1))
    bench.tools.on("echo.add", BROKEN)
    for _ in range(3):
        await bench.failure()

    assert await bench.output() == {"temp": None}


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - RETRIED))
async def test_what_would_fail_the_same_way_again_is_not_retried(kind: FaultKind) -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Fault(kind=kind, message="503 temporary, please retry"))

    failure = await bench.failure()

    assert (failure.retry_in_seconds, failure.error["code"]) == (None, kind.value)
    assert len(bench.tools.calls) == 1


@pytest.mark.parametrize("kind", sorted(RETRIED))
async def test_what_may_pass_is_retried_whatever_its_text(kind: FaultKind) -> None:
    bench = Bench(a_call("a"), policies=AT_ONCE)
    bench.tools.on("echo.say", Fault(kind=kind, message="invalid arguments, denied", sent=True))

    assert (await bench.failure()).retry_in_seconds == 0


async def test_a_fallback_takes_the_place_of_the_result() -> None:
    bench = Bench(a_call("a", on_error=CONTINUE, retry={"max_attempts": 1}), a_set("b", "${steps}"))
    bench.tools.on("echo.say", BROKEN)

    assert await bench.output() == {"a": {"temp": None}}

    step = bench.step("a")
    assert (step.state, step.output) == (StepState.FAILED, {"temp": None})
    assert step.error is not None
    assert step.error["code"] == "tool_error"


async def test_a_fallback_comes_after_the_retries() -> None:
    bench = Bench(a_call("a", on_error=CONTINUE), policies=AT_ONCE)
    bench.tools.on("echo.say", BROKEN)

    for _ in range(3):
        assert (await bench.failure()).retry_in_seconds == 0
    assert await bench.output() == {"temp": None}


async def test_a_resume_reads_the_fallback_back() -> None:
    once = {"max_attempts": 1}
    bench = Bench(
        a_call("a", on_error=CONTINUE, retry=once),
        a_call("b", "echo.add"),
        a_set("c", "${steps}"),
        policies=AT_ONCE,
    )
    bench.tools.on("echo.say", BROKEN)
    bench.tools.on("echo.add", BROKEN, Returned(2))

    await bench.failure()

    assert await bench.output() == {"a": {"temp": None}, "b": 2}
    assert bench.called == ["echo.say", "echo.add", "echo.add"]


async def test_verified_success_says_so() -> None:
    bench = Bench(a_call("a", verify="result.ok"), a_set("b", 1))
    bench.tools.on("echo.say", Returned({"ok": True}))

    assert await bench.attempt() == Succeeded(1, verified=True)


async def test_what_was_executed_and_not_verified_fails_with_that_verdict() -> None:
    bench = Bench(a_call("a", verify="result.ok"))
    bench.tools.on("echo.say", Returned({"ok": False}))

    failure = await bench.failure()

    assert failure.error["code"] == "not_verified"
    assert (failure.retry_in_seconds, failure.verified) == (None, False)
    assert bench.step("a").output == {"ok": False}
    assert (bench.work.executed, bench.work.verified) == (True, False)


async def test_a_fallback_does_not_make_a_run_verified() -> None:
    bench = Bench(a_call("a", verify="result.ok", on_error=CONTINUE), a_set("b", 1))
    bench.tools.on("echo.say", Returned({"ok": False}))

    assert await bench.attempt() == Succeeded(1, verified=False)


async def test_a_verdict_survives_the_steps_after_it() -> None:
    steps = [
        a_call("a", verify="result.ok", on_error=CONTINUE),
        a_call("b", "echo.add", verify="result.ok"),
    ]
    bench = Bench(*steps)
    bench.tools.on("echo.say", Returned({"ok": False}))
    bench.tools.on("echo.add", Returned({"ok": True}))

    assert await bench.attempt() == Succeeded({"ok": True}, verified=False)


async def test_without_a_verify_nothing_is_said_about_it() -> None:
    bench = Bench(a_set("a", 1))

    assert await bench.attempt() == Succeeded(1, verified=None)


async def test_a_verify_that_cannot_be_decided_is_never_taken_for_true() -> None:
    bench = Bench(a_call("a", verify="length(result) > `1`"))
    bench.tools.on("echo.say", Returned(5))

    assert (await bench.failure()).error["code"] == "condition_error"


async def test_a_result_that_does_not_fit_the_steps_schema_fails_it() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    bench = Bench(a_call("a", output_schema=schema))
    bench.tools.on("echo.say", Returned({"n": "seven"}), Returned({"n": 7}))

    failure = await bench.failure()

    assert (failure.error["code"], failure.retry_in_seconds) == ("output_schema_error", None)
    assert "output_schema" in failure.error["message"]
    assert bench.step("a").output == {"n": "seven"}


async def test_a_result_that_fits_goes_through() -> None:
    bench = Bench(a_call("a", output_schema={"type": "integer"}))
    bench.tools.on("echo.say", Returned(7))

    assert await bench.output() == 7


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x" * (1024 * 1024 + 1), "output_too_large"),
        (list(range(200_001)), "output_too_large"),
        ({"a\0b": 1}, "unstorable_output"),
        ({"a": "b\0"}, "unstorable_output"),
        ({"a": "\ud800"}, "unstorable_output"),
        ({"a": float("nan")}, "unstorable_output"),
        ({"a": 2**70}, "unstorable_output"),
    ],
)
async def test_a_result_that_no_journal_can_keep_fails_the_step(value: Any, code: str) -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Returned(value))

    failure = await bench.failure()

    assert (failure.error["code"], failure.retry_in_seconds) == (code, None)
    assert bench.step("a").output is None


async def test_a_large_result_that_fits_is_kept_whole() -> None:
    value = {f"k{number}": [number] * 10 for number in range(3_000)}
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Returned(value))

    assert await bench.output() == value


async def test_a_foreign_text_cannot_break_the_journal() -> None:
    bench = Bench(a_call("a"))
    fault = Fault(kind=FaultKind.DENIED, message="a\0b\ud800c", hint="\0")
    bench.tools.on("echo.say", fault)

    error = (await bench.failure()).error

    assert error["message"] == "Step 'a' (echo.say): a\ufffdb?c"
    assert error["hint"] == "\ufffd"


async def test_a_tool_is_told_the_time_out_of_its_step_else_of_its_task() -> None:
    policies = Policies(step_timeout=timedelta(seconds=11))
    bench = Bench(a_call("a", timeout_seconds=2.5), a_call("b"), policies=policies)
    bench.tools.on("echo.say", Returned(1))

    await bench.output()

    assert [call.timeout.total_seconds() for call in bench.tools.calls] == [2.5, 11]


async def test_a_call_that_timed_out_at_a_harmless_tool_is_retried() -> None:
    bench = Bench(a_call("a"), policies=AT_ONCE)
    late = Fault(kind=FaultKind.TIMEOUT, message="no answer within 1 s", sent=True)
    bench.tools.on("echo.say", late, Returned(1))

    assert (await bench.failure()).retry_in_seconds == 0
    assert await bench.output() == 1


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.CONNECTION_LOST])
async def test_an_unknown_outcome_at_a_tool_that_writes_parks_the_run(kind: FaultKind) -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Fault(kind=kind, message="no answer", sent=True), hints=WRITES)

    parked = await bench.parked()

    assert (parked.error["code"], parked.error["step"]) == ("outcome_unknown", "a")
    assert bench.step("a").state is StepState.UNKNOWN
    assert bench.work.state is RunState.WAITING


async def test_a_call_that_was_never_sent_is_retried_whatever_the_tool_does() -> None:
    bench = Bench(a_call("a"), policies=AT_ONCE)
    unsent = Fault(kind=FaultKind.TIMEOUT, message="no free place", sent=False)
    bench.tools.on("echo.say", unsent, Returned(1), hints=WRITES)

    assert (await bench.failure()).retry_in_seconds == 0
    assert await bench.output() == 1


async def test_on_unknown_retry_calls_a_tool_that_writes_again() -> None:
    bench = Bench(a_call("a", on_unknown="retry"), policies=AT_ONCE)
    late = Fault(kind=FaultKind.TIMEOUT, message="no answer", sent=True)
    bench.tools.on("echo.say", late, Returned(1), hints=WRITES)

    assert (await bench.failure()).retry_in_seconds == 0
    assert await bench.output() == 1
    assert len({call.key for call in bench.tools.calls}) == 1


async def test_on_unknown_fail_fails_the_run_for_good() -> None:
    bench = Bench(a_call("a", on_unknown="fail"))
    late = Fault(kind=FaultKind.TIMEOUT, message="no answer", sent=True)
    bench.tools.on("echo.say", late, hints=WRITES)

    failure = await bench.failure()

    assert (failure.error["code"], failure.retry_in_seconds) == ("outcome_unknown", None)


async def test_on_unknown_ask_parks_even_at_a_harmless_tool() -> None:
    bench = Bench(a_call("a", on_unknown="ask"))
    bench.tools.on("echo.say", Fault(kind=FaultKind.TIMEOUT, message="no answer", sent=True))

    assert (await bench.parked()).error["code"] == "outcome_unknown"


async def test_a_run_that_takes_too_long_fails_and_leaves_its_step_unknown() -> None:
    bench = Bench(
        a_set("a", 1), a_call("b"), policies=Policies(run_timeout=timedelta(milliseconds=20))
    )
    bench.tools.hang("echo.say")

    failure = await bench.failure()

    assert failure.error["code"] == "run_timeout"
    assert (failure.error["step"], failure.error["index"]) == ("b", 1)
    assert failure.retry_in_seconds is None
    assert bench.step("b").state is StepState.UNKNOWN
    assert bench.step("a").state is StepState.SUCCEEDED


async def test_a_built_in_that_takes_too_long_times_out() -> None:
    class Slow:
        async def complete(self, instruction: str, **_: Any) -> dict[str, Any]:
            await anyio.sleep_forever()
            raise AssertionError(instruction)

    step = {"id": "a", "uses": "llm.plan", "with": {"instruction": "x"}, "timeout_seconds": 0.1}
    failure = await Bench(step, model=Slow()).failure()

    assert failure.error["code"] == "timeout"
    assert failure.retry_in_seconds is not None


async def test_a_built_in_that_crashes_is_a_tool_error() -> None:
    class Broken:
        async def complete(self, instruction: str, **_: Any) -> dict[str, Any]:
            raise ZeroDivisionError(instruction)

    step = {"id": "a", "uses": "llm.plan", "with": {"instruction": "x"}}
    failure = await Bench(step, model=Broken()).failure()

    assert failure.error["code"] == "tool_error"
    assert "ZeroDivisionError" in failure.error["message"]


async def test_a_tool_that_nobody_offers_any_more_fails_the_run() -> None:
    failure = await Bench(a_call("a", "gone.tool")).failure()

    assert isinstance(failure, Failed)
    assert (failure.error["code"], failure.retry_in_seconds) == ("unknown_tool", None)
