"""Where local tool servers work, and what their limits let them do."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import fault_of, running, value_of
from tests.servers import ECHO, entry

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="folders of POSIX have modes"),
]


async def test_each_server_gets_a_folder_of_its_own_that_nobody_else_may_open(
    tmp_path: Path,
) -> None:
    private = tmp_path / "home" / "tool-servers"
    (tmp_path / "elsewhere").mkdir()
    servers = {"a": entry(ECHO), "b": entry(ECHO), "c": entry(ECHO) | {"cwd": "elsewhere"}}
    async with running(tmp_path, servers, private_folder=private) as bridge:
        seen = {name: (await value_of(bridge, f"{name}.environment"))["cwd"] for name in servers}
    assert seen == {
        "a": str(private / "a"),
        "b": str(private / "b"),
        "c": str(tmp_path / "elsewhere"),
    }
    for folder in (private, private / "a", private / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_relative_command_counts_from_the_tools_file_all_the_same(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} {ECHO}\n")
    script.chmod(0o755)
    servers = {"a": {"command": "./server"}}
    async with running(tmp_path, servers, private_folder=tmp_path / "private") as bridge:
        assert (await value_of(bridge, "a.environment"))["cwd"] == str(tmp_path / "private" / "a")


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    servers = {"a": entry(ECHO)}
    async with running(tmp_path, servers, private_folder=tmp_path / "file") as bridge:
        assert bridge.statuses()[0].error == (
            f"its working folder {tmp_path}/file/a cannot be made: File exists; "
            "give its entry a cwd"
        )


SHOW = """
import json, resource as r
limits = {n: r.getrlimit(getattr(r, "RLIMIT_" + n))[0] for n in ("DATA", "NOFILE", "CPU", "CORE")}
open({path!r}, "w").write(json.dumps(limits))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS refuses some limits")
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, {"DATA": 2048 << 20, "NOFILE": 1024, "CPU": -1, "CORE": 0}),
        (
            {"memory_mb": 1024, "files": 64, "cpu_seconds": 500},
            {"DATA": 1024 << 20, "NOFILE": 64, "CPU": 500, "CORE": 0},
        ),
        ({"memory_mb": None}, {"DATA": -1, "NOFILE": 1024, "CPU": -1, "CORE": 0}),
    ],
)
async def test_the_limits_of_an_entry_hold(
    tmp_path: Path, limits: dict[str, Any], expected: dict[str, int]
) -> None:
    path = tmp_path / "limits"
    code = SHOW.replace("{path!r}", repr(str(path)))
    servers = {"a": {"command": sys.executable, "args": ["-c", code], "limits": limits}}
    async with running(tmp_path, servers):
        assert json.loads(path.read_text()) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold back memory")
async def test_a_server_that_takes_too_much_memory_fails_its_call_and_no_other(
    tmp_path: Path,
) -> None:
    hungry = {**entry(ECHO), "limits": {"memory_mb": 256}}
    async with running(tmp_path, {"hungry": hungry, "echo": entry(ECHO)}) as bridge:
        fault = await fault_of(bridge, "hungry.eat", mb=600)
        assert (fault.kind, fault.message) == (FaultKind.TOOL_ERROR, "MemoryError")
        assert await value_of(bridge, "echo.eat", mb=600) == {"eaten": 600}
        assert {one.state for one in bridge.statuses()} == {ServerState.READY}
