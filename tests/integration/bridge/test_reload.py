"""The tools file is read again when it changes, and only what changed is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge import bridge as bridge_module
from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import FaultKind, ServerState, ServerStatus
from tests.integration.bridge.running import (
    SECONDS,
    Recorder,
    ask,
    eventually,
    fault_of,
    lives,
    running,
    value_of,
    write,
)
from tests.servers import ECHO, entry

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "LOOK_EVERY", 0.02)


async def pid_of(bridge: Bridge, server: str) -> int:
    return (await value_of(bridge, f"{server}.environment"))["pid"]


async def test_added_removed_and_changed_servers_are_applied_and_others_kept(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    servers: dict[str, Any] = {name: entry(ECHO) for name in ("stays", "goes", "changes")}
    async with running(tmp_path, servers, recorder) as bridge:
        pids = {name: await pid_of(bridge, name) for name in servers}
        servers["comes"] = entry(ECHO)
        servers["changes"] = entry(ECHO, env={"NEW": "1"})
        del servers["goes"]
        write(tmp_path / "tools.json", servers)

        await recorder.until_state("goes", ServerState.REMOVED)
        await recorder.until_state("comes", ServerState.READY)
        fault = await fault_of(bridge, "goes.say", text="x")
        assert fault.kind is FaultKind.UNKNOWN_TOOL
        assert await value_of(bridge, "comes.say", text="x") == {"text": "x"}
        assert "NEW" in (await value_of(bridge, "changes.environment"))["names"]
        assert await pid_of(bridge, "stays") == pids["stays"]
        assert await pid_of(bridge, "changes") != pids["changes"]
        assert not lives(pids["changes"])
        assert {status.server for status in bridge.statuses()} == {"stays", "changes", "comes"}


async def test_a_file_that_is_not_json_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    async with running(tmp_path, {"echo": entry(ECHO)}) as bridge:
        before = await pid_of(bridge, "echo")
        path.write_text('{\n "mcpServers": {,}\n}')
        await eventually(lambda: bool(bridge.problems()))
        assert bridge.problems()[0].line == 2
        assert await pid_of(bridge, "echo") == before
        write(path, {"echo": entry(ECHO), "more": entry(ECHO)})
        await eventually(lambda: not bridge.problems())
        assert await pid_of(bridge, "echo") == before
        assert await value_of(bridge, "more.say", text="x") == {"text": "x"}


async def test_a_server_whose_entry_turns_wrong_is_failed_with_the_line(tmp_path: Path) -> None:
    recorder = Recorder()
    async with running(tmp_path, {"echo": entry(ECHO)}, recorder) as bridge:
        await recorder.until_state("echo", ServerState.READY)
        (tmp_path / "tools.json").write_text('{"mcpServers": {\n"echo": {"comand": "x"}}}')
        wrong = "line 2: mcpServers.echo.comand is not known here; did you mean 'command'?"
        expected = ServerStatus(server="echo", state=ServerState.FAILED, error=wrong)
        assert await recorder.until_state("echo", ServerState.FAILED) == expected
        assert bridge.statuses() == [expected]
        fault = await fault_of(bridge, "echo.say", text="x")
        assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
        assert wrong in fault.message


async def test_a_file_that_appears_later_is_read_then(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path / "tools.json")
    async with anyio.create_task_group() as tasks:
        await tasks.start(bridge.run)
        assert await bridge.settled(SECONDS)
        assert bridge.statuses() == []
        write(tmp_path / "tools.json", {"echo": entry(ECHO)})
        await eventually(lambda: bool(bridge.specs()))
        assert await value_of(bridge, "echo.say", text="x") == {"text": "x"}
        tasks.cancel_scope.cancel()


async def test_a_bridge_that_does_not_run_settles_nothing_and_calls_nothing(
    tmp_path: Path,
) -> None:
    bridge = Bridge(tmp_path / "tools.json")
    assert not await bridge.settled(0.05 * SECONDS)
    fault = await fault_of(bridge, "echo.say", within=0.05)
    assert (fault.kind, fault.sent) == (FaultKind.UNKNOWN_TOOL, False)


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_a_server_that_tells_a_change_of_its_tools_is_listed_again(
    tmp_path: Path, era: str
) -> None:
    recorder = Recorder()
    servers = {"echo": entry(ECHO, env={"ERA": era})}
    async with running(tmp_path, servers, recorder) as bridge:
        await recorder.until_state("echo", ServerState.READY)
        digest = bridge.specs()["echo.say"].digest
        assert await value_of(bridge, "echo.grow", name="shout") != {}
        await recorder.until(lambda _, tools: any(tool.name == "shout" for tool in tools))
        assert await value_of(bridge, "echo.shout", text="x") == {"text": "x"}
        assert bridge.specs()["echo.say"].digest == digest
        await ask(bridge, "echo.say", text="x")
