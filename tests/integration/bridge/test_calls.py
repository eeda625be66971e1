"""Calls of ordinary tool servers, of both protocol eras."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.bridge.server_config import MAX_CONCURRENT as PLACES
from ordinaut_mcp.domain.tool import (
    Fault,
    FaultKind,
    Returned,
    ServerState,
    ServerStatus,
    ToolHints,
    ToolOutcome,
)
from tests.integration.bridge.running import Recorder, ask, fault_of, running, value_of
from tests.servers import ECHO, entry

pytestmark = pytest.mark.anyio

READ_ONLY = ToolHints(read_only=True, idempotent=True, open_world=False)


@pytest.fixture(params=["both", "legacy"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    env = {"ERA": request.param, "COUNT_FILE": str(tmp_path / "count")}
    return {"echo": entry(ECHO, env=env)}


async def test_a_tool_is_called_and_its_structured_content_returned(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        assert await value_of(bridge, "echo.say", text="hi ☕") == {"text": "hi ☕"}
        assert await value_of(bridge, "echo.add", a=1, b=2.5) == {"sum": 3.5}
        assert await value_of(bridge, "echo.text_only", texts=["[1]"]) == [1]


async def test_the_catalog_is_known_and_told(tmp_path: Path, servers: dict[str, Any]) -> None:
    recorder = Recorder()
    async with running(tmp_path, servers, recorder) as bridge:
        say = bridge.specs()["echo.say"]
        assert (say.server, say.name, say.description) == ("echo", "say", "Gives back the text.")
        assert say.input_schema["required"] == ["text"]
        assert say.output_schema == say.input_schema
        assert say.hints == READ_ONLY
        assert len(say.digest) == 64
        assert bridge.specs()["echo.count"].hints == ToolHints(destructive=False)
        assert bridge.statuses() == [ServerStatus(server="echo", state=ServerState.READY)]
        await recorder.until(lambda status, tools: status.error is None and say in tools)


async def test_the_idempotency_key_reaches_the_tool(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        assert await ask(bridge, "echo.count", key="run_1/a", x=1) == Returned({"n": 1})
        assert await ask(bridge, "echo.count", key="run_1/b", x=2) == Returned({"n": 2})

    written = [json.loads(line) for line in (tmp_path / "count").read_text().splitlines()]
    assert written == [
        {"key": "run_1/a", "args": {"x": 1}},
        {"key": "run_1/b", "args": {"x": 2}},
    ]


async def test_a_tool_that_fails_gives_its_text(tmp_path: Path, servers: dict[str, Any]) -> None:
    async with running(tmp_path, servers) as bridge:
        fault = await fault_of(bridge, "echo.fail", text="no such chat")
        assert (fault.kind, fault.message, fault.sent) == (
            FaultKind.TOOL_ERROR,
            "no such chat",
            True,
        )


async def test_arguments_that_do_not_fit_are_not_sent(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        fault = await fault_of(bridge, "echo.add", a="1", b=2, c=3)
        assert (fault.kind, fault.sent) == (FaultKind.BAD_ARGUMENTS, False)
        assert "a must be number" in fault.message
        assert "c is not known" in fault.message
        fault = await fault_of(bridge, "echo.count", x="\ud800")
        assert fault.message == "x contains half of a surrogate pair"
    assert not (tmp_path / "count").exists()


async def test_an_unknown_tool_is_told_with_the_nearest_one(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        fault = await fault_of(bridge, "echo.sya", text="x")
        assert (fault.kind, fault.sent) == (FaultKind.UNKNOWN_TOOL, False)
        assert fault.message == "echo has no tool 'sya'; did you mean 'say'?"
        fault = await fault_of(bridge, "ecco.say")
        assert (fault.kind, fault.sent) == (FaultKind.UNKNOWN_TOOL, False)
        assert "did you mean 'echo.say'?" in fault.message


async def test_a_call_that_takes_too_long_is_cancelled_at_the_server(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        fault = await fault_of(bridge, "echo.sleep", within=0.2, seconds=60)
        assert fault == Fault(kind=FaultKind.TIMEOUT, message="no answer within 0.2 s", sent=True)
        assert await value_of(bridge, "echo.cancelled") == {"cancelled": 1}


async def test_a_caller_that_gives_up_cancels_at_the_server_too(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        async with anyio.create_task_group() as calls:
            calls.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
            await anyio.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
        assert await value_of(bridge, "echo.cancelled") == {"cancelled": 1}


async def test_calls_run_side_by_side_and_the_rest_waits_for_a_place(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge:
        found: list[Any] = []

        async def say(number: int) -> None:
            found.append(await value_of(bridge, "echo.say", text=str(number)))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as calls:
                for number in range(100):
                    calls.start_soon(say, number)
        assert sorted(int(value["text"]) for value in found) == list(range(100))


async def test_without_a_free_place_a_call_is_never_sent(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    async with running(tmp_path, servers) as bridge, anyio.create_task_group() as calls:
        for _ in range(PLACES):
            calls.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
        await anyio.wait_all_tasks_blocked()
        fault = await fault_of(bridge, "echo.count", within=0.2)
        assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, False)
        calls.cancel_scope.cancel()
    assert not (tmp_path / "count").exists()


async def test_a_call_that_waits_for_a_place_while_the_server_dies_was_not_sent(
    tmp_path: Path, servers: dict[str, Any]
) -> None:
    found: list[ToolOutcome] = []

    async def count(bridge: Bridge) -> None:
        found.append(await ask(bridge, "echo.count"))

    async with running(tmp_path, servers) as bridge, anyio.create_task_group() as calls:
        for _ in range(PLACES - 1):
            calls.start_soon(partial(ask, bridge, "echo.sleep", seconds=60))
        calls.start_soon(partial(ask, bridge, "echo.die"))
        calls.start_soon(count, bridge)
    assert isinstance(found[0], Fault)
    assert (found[0].kind, found[0].sent) == (FaultKind.NOT_REACHABLE, False)
    assert not (tmp_path / "count").exists()


async def test_the_server_sees_a_small_environment_and_the_folder_of_the_file(
    tmp_path: Path, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDINAUT_DATABASE_URL", "postgres://secret")
    async with running(tmp_path, servers) as bridge:
        seen = await value_of(bridge, "echo.environment")
    default = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}
    locale_of_its_own_python = {"LC_CTYPE"}
    assert set(seen["names"]) - locale_of_its_own_python == (
        default & set(os.environ) | {"ERA", "COUNT_FILE"}
    )
    assert seen["cwd"] == str(tmp_path)
