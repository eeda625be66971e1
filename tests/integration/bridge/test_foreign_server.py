"""A tool server that nobody here wrote: mcp-server-time, from the package index."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ordinaut_mcp.domain.tool import FaultKind
from tests.integration.bridge.running import fault_of, running, value_of

pytestmark = pytest.mark.anyio


async def test_the_time_server_answers(tmp_path: Path) -> None:
    servers = {"time": {"command": sys.executable, "args": ["-m", "mcp_server_time"]}}
    async with running(tmp_path, servers) as bridge:
        assert set(bridge.specs()) == {"time.get_current_time", "time.convert_time"}
        now = await value_of(bridge, "time.get_current_time", timezone="Asia/Kolkata")
        assert now["timezone"] == "Asia/Kolkata"
        assert now["datetime"].endswith("+05:30")
        fault = await fault_of(bridge, "time.get_current_time", timezone="Nowhere/Land")
        assert fault.kind is FaultKind.TOOL_ERROR
        fault = await fault_of(bridge, "time.get_current_time")
        assert (fault.kind, fault.sent) == (FaultKind.BAD_ARGUMENTS, False)
        assert fault.message == "timezone is missing"
