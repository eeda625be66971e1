"""Bounded concurrency: each server serves so many calls at once, and the rest waits in turn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.tool import FaultKind, Returned, ToolOutcome
from tests.integration.bridge.running import ask, fault_of, running, value_of
from tests.servers import ECHO, entry

pytestmark = pytest.mark.anyio


def one_at_a_time(folder: Path, most: int = 1) -> dict[str, Any]:
    count = {"COUNT_FILE": str(folder / "count")}
    return {"echo": entry(ECHO, env=count) | {"max_concurrent": most}, "other": entry(ECHO)}


async def test_calls_wait_for_a_place_in_the_order_in_which_they_asked(tmp_path: Path) -> None:
    async with running(tmp_path, one_at_a_time(tmp_path)) as bridge:
        found: list[int] = []

        async def count(number: int) -> None:
            await value_of(bridge, "echo.count", number=number)
            found.append(number)

        async with anyio.create_task_group() as calls:
            for number in range(20):
                calls.start_soon(count, number)
                await anyio.lowlevel.checkpoint()
        assert found == list(range(20))


async def test_the_time_in_the_queue_counts_and_what_waited_in_vain_was_not_sent(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, one_at_a_time(tmp_path)) as bridge:
        async with anyio.create_task_group() as calls:
            calls.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
            await anyio.wait_all_tasks_blocked()
            fault = await fault_of(bridge, "echo.count", within=0.2)
            assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, False)
            assert fault.message == "no free place on the tool server within 0.2 s"
            assert await value_of(bridge, "other.say", text="x") == {"text": "x"}
            calls.cancel_scope.cancel()
        assert await value_of(bridge, "echo.say", text="x") == {"text": "x"}
    assert not (tmp_path / "count").exists()


async def test_a_cancelled_call_gives_its_place_to_the_next(tmp_path: Path) -> None:
    async with running(tmp_path, one_at_a_time(tmp_path)) as bridge:
        found: list[ToolOutcome] = []

        async def say() -> None:
            found.append(await ask(bridge, "echo.say", text="next"))

        async with anyio.create_task_group() as waiting, anyio.create_task_group() as first:
            first.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
            await anyio.wait_all_tasks_blocked()
            waiting.start_soon(say)
            await anyio.wait_all_tasks_blocked()
            first.cancel_scope.cancel()
        assert found == [Returned({"text": "next"})]


async def test_as_many_run_at_once_as_the_entry_says(tmp_path: Path) -> None:
    async with (
        running(tmp_path, one_at_a_time(tmp_path, most=3)) as bridge,
        anyio.create_task_group() as calls,
    ):
        for _ in range(2):
            calls.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
        await anyio.wait_all_tasks_blocked()
        assert await value_of(bridge, "echo.say", text="third") == {"text": "third"}
        calls.cancel_scope.cancel()
