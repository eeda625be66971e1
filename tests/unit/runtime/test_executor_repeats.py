"""When a call is made again whose outcome nobody knows, and with which key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.redrive import MAY_REPEAT
from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.domain.run import Parked, StepState
from ordinaut_mcp.domain.task import Policies
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned
from ordinaut_mcp.domain.web_request import WebAnswer, WebRequest
from ordinaut_mcp.runtime.scene import idempotency_key
from tests.doubles.scripted_tools import WRITES, Answer, WorkerDied
from tests.unit.runtime.bench import BROKEN, Bench, a_call

pytestmark = pytest.mark.anyio

DIED = WorkerDied()
LATE = Fault(kind=FaultKind.TIMEOUT, message="no answer", sent=True)
AT_ONCE = Policies(retry=RetryPolicy(max_retries=3, backoff=Backoff.FIXED, base=timedelta(0)))


class Web:
    """Answers requests in turn; `None`: not before the worker is gone."""

    allowance = Allowance()

    def __init__(self, *answers: Fault | int | None) -> None:
        self._answers: list[Fault | int | None] = list(answers)
        self.keys: list[str | None] = []
        self.asked = anyio.Event()

    async def request(self, request: WebRequest, *, within: timedelta) -> WebAnswer | Fault:
        del within
        await checkpoint()
        self.keys.append(request.headers.get("idempotency-key"))
        answer = self._answers.pop(0)
        if answer is None:
            self.asked.set()
            await anyio.sleep_forever()
        if isinstance(answer, Fault):
            return answer
        assert answer is not None
        return WebAnswer(url=request.url, status=answer, reason="", headers={}, body=b"{}")


def a_request(method: str) -> dict[str, Any]:
    arguments = {"method": method, "url": "https://example.com/"}
    return {"id": "a", "uses": "http.request", "with": arguments}


async def interrupted(bench: Bench, web: Web) -> None:
    """One attempt whose worker is gone before the answer to its request."""
    claimed = await bench.claim()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.carry_out, claimed)
        with anyio.fail_after(5):
            await web.asked.wait()
        tasks.cancel_scope.cancel()
    await bench.reap()


def decided(bench: Bench) -> None:
    """Somebody says: call it again."""
    assert bench.step("a").state is StepState.RUNNING
    bench.work.journal["a"] = replace(bench.step("a"), error=MAY_REPEAT)


async def test_a_call_that_somebody_wants_repeated_is_made_with_the_same_key_and_input() -> None:
    bench = Bench(a_call("a", **{"with": {"try": "${run.attempt}"}}))
    bench.tools.on("echo.say", DIED, Returned("done"), hints=WRITES)
    await bench.crash()
    decided(bench)

    assert await bench.output() == "done"

    first, again = bench.tools.calls
    assert (first.key, first.arguments) == (again.key, again.arguments)
    assert again.arguments == {"try": 1}
    assert bench.step("a").error is None


async def test_without_that_word_it_is_not_repeated() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", DIED, Returned("done"), hints=WRITES)
    await bench.crash()

    assert (await bench.parked()).error["code"] == "outcome_unknown"
    assert len(bench.tools.calls) == 1


@pytest.mark.parametrize("second", [DIED, LATE])
async def test_that_word_holds_for_one_call(second: Answer) -> None:
    bench = Bench(a_call("a"), policies=AT_ONCE)
    bench.tools.on("echo.say", DIED, second, Returned("done"), hints=WRITES)
    await bench.crash()
    decided(bench)
    if second is DIED:
        await bench.crash()

    assert (await bench.parked()).error["code"] == "outcome_unknown"
    assert len(bench.tools.calls) == 2
    assert len({call.key for call in bench.tools.calls}) == 1


async def test_failures_still_count_after_that_word() -> None:
    bench = Bench(a_call("a", retry={"max_attempts": 2, "base_seconds": 0}))
    bench.tools.on("echo.say", BROKEN, DIED, BROKEN, hints=WRITES)
    assert (await bench.failure()).retry_in_seconds == 0
    await bench.crash()
    failures = bench.step("a").error
    assert failures is not None
    bench.work.journal["a"] = replace(bench.step("a"), error={**failures, **MAY_REPEAT})

    assert (await bench.failure()).retry_in_seconds is None


async def test_that_word_goes_over_what_the_step_says_itself() -> None:
    bench = Bench(a_call("a", on_unknown="ask"))
    bench.tools.on("echo.say", DIED, Returned("done"))
    await bench.crash()
    decided(bench)

    assert await bench.output() == "done"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_request_that_may_be_made_twice_is_repeated_after_a_time_out(method: str) -> None:
    web = Web(LATE, 200)
    bench = Bench(a_request(method), policies=AT_ONCE, web=web)

    assert (await bench.failure()).retry_in_seconds == 0
    assert (await bench.output())["status"] == 200


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_request_that_may_not_is_not_repeated_but_asked_about(method: str) -> None:
    web = Web(LATE, 200)
    bench = Bench(a_request(method), policies=AT_ONCE, web=web)

    assert (await bench.parked()).error["code"] == "outcome_unknown"
    assert len(web.keys) == 1
    assert bench.step("a").state is StepState.UNKNOWN


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_same_holds_when_the_worker_died(method: str) -> None:
    web = Web(None, 200)
    bench = Bench(a_request(method), web=web)
    await interrupted(bench, web)

    await bench.attempt()

    assert len(web.keys) == 2
    assert len(set(web.keys)) == 1


async def keys_of(redrives: Sequence[int]) -> list[str]:
    """The keys of one run's call, sent again so often."""
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Returned(None))
    claimed = await bench.claim()
    return [idempotency_key(replace(claimed, redrive=number), "a") for number in redrives]


async def test_a_run_that_was_sent_again_calls_with_new_keys_each_time() -> None:
    first, second, third = await keys_of([0, 1, 2])

    assert first.startswith("ordinaut-run_1-")
    run, _, path = first.partition("/")
    assert (second, third) == (f"{run}.1/{path}", f"{run}.2/{path}")


async def test_the_key_that_a_tool_is_given_has_the_number_of_the_redrive() -> None:
    bench = Bench(a_call("a"))
    bench.tools.on("echo.say", Returned(None))
    bench.work.redrive = 3

    await bench.output()

    [call] = bench.tools.calls
    assert call.key.endswith(".3/a")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_request_that_may_not_is_asked_about_when_the_worker_died(method: str) -> None:
    web = Web(None, 200)
    bench = Bench(a_request(method), web=web)
    await interrupted(bench, web)

    outcome = await bench.attempt()

    assert len(web.keys) == 1
    assert isinstance(outcome, Parked)
