"""Nothing that a tool server started outlives its connection."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from ordinaut_mcp.bridge import child
from ordinaut_mcp.domain.tool import FaultKind
from tests.integration.bridge.running import eventually, fault_of, lives, running, value_of, write
from tests.servers import ECHO, EVIL, entry

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans"),
]


def pids_in(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "pids").read_text().split()]


async def test_grandchildren_end_with_the_connection(tmp_path: Path) -> None:
    """Both ignore SIGTERM; one has left the process group and the session."""
    servers = {"evil": entry(EVIL, env={"PIDS_FILE": str(tmp_path / "pids")})}
    async with running(tmp_path, servers) as bridge:
        left = await value_of(bridge, "evil.leave_behind")
        assert [lives(pid) for pid in left["pids"]] == [True, True]

    assert [lives(pid) for pid in pids_in(tmp_path)] == [False, False]


async def test_grandchildren_end_when_the_server_dies_first(tmp_path: Path) -> None:
    servers = {"evil": entry(EVIL, env={"PIDS_FILE": str(tmp_path / "pids")})}
    async with running(tmp_path, servers) as bridge:
        fault = await fault_of(bridge, "evil.leave_and_die")
        assert fault.kind is FaultKind.CONNECTION_LOST
        assert "exit code 7" in fault.message
        assert [lives(pid) for pid in pids_in(tmp_path)] == [False, False]


async def test_the_server_itself_ends_with_the_connection(tmp_path: Path) -> None:
    async with running(tmp_path, {"echo": entry(ECHO)}) as bridge:
        pid = (await value_of(bridge, "echo.environment"))["pid"]
        assert lives(pid)
    assert not lives(pid)


async def test_a_server_that_does_not_end_by_itself_is_ended(tmp_path: Path) -> None:
    servers = {"evil": entry(EVIL, "stays", env={"PIDS_FILE": str(tmp_path / "pids")})}
    async with running(tmp_path, servers) as bridge:
        assert await value_of(bridge, "evil.say", a=1) == {"a": 1}
        assert [lives(pid) for pid in pids_in(tmp_path)] == [True]
    assert [lives(pid) for pid in pids_in(tmp_path)] == [False]


async def test_a_guard_that_does_not_move_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_AFTER_GUARD_SECONDS", 0.1)
    async with running(tmp_path, {"echo": entry(ECHO)}) as bridge:
        pid = (await value_of(bridge, "echo.environment"))["pid"]
        guard = parent_of(pid)
        os.kill(guard, signal.SIGSTOP)
    assert [lives(guard), lives(pid)] == [False, False]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


BRIDGE_IN_A_PROCESS = """
import sys, anyio
from pathlib import Path
from ordinaut_mcp.bridge.bridge import Bridge
from datetime import timedelta

async def main():
    bridge = Bridge(Path(sys.argv[1]))
    async with anyio.create_task_group() as tasks:
        await tasks.start(bridge.run)
        within = timedelta(seconds=20)
        left = await bridge.call("evil.leave_behind", {}, idempotency_key="k", timeout=within)
        print(left.value["pids"], flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def test_killing_the_runtime_leaves_nothing_either(tmp_path: Path) -> None:
    """`kill -9`: the guard sees that the other end of its lifeline is gone."""
    servers = {"evil": entry(EVIL, "stays", env={"PIDS_FILE": str(tmp_path / "pids")})}
    path = tmp_path / "tools.json"
    write(path, servers)
    command = [sys.executable, "-c", BRIDGE_IN_A_PROCESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as runtime:
        assert runtime.stdout is not None
        assert runtime.stdout.readline().startswith(b"[")
        pids = pids_in(tmp_path)
        assert [lives(pid) for pid in pids] == [True, True, True]
        os.kill(runtime.pid, signal.SIGKILL)

    anyio.run(eventually, lambda: not any(lives(pid) for pid in pids))
