"""A tool server that breaks is started anew; its calls say what became of them."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from ordinaut_mcp.bridge import session
from ordinaut_mcp.bridge.session import RESTARTS
from ordinaut_mcp.domain.retry import RetryPolicy
from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import Recorder, fault_of, running, value_of
from tests.servers import ECHO, entry

pytestmark = pytest.mark.anyio


async def test_a_call_in_whose_midst_the_server_dies_is_lost_and_the_next_works(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    async with running(tmp_path, {"echo": entry(ECHO)}, recorder) as bridge:
        before = (await value_of(bridge, "echo.environment"))["pid"]
        fault = await fault_of(bridge, "echo.die", code=9)
        assert (fault.kind, fault.sent) == (FaultKind.CONNECTION_LOST, True)
        assert "it ended with exit code 9; its last words: dying as asked" in fault.message
        after = (await value_of(bridge, "echo.environment"))["pid"]
        assert after != before
        failed = await recorder.until_state("echo", ServerState.FAILED)
        assert failed.error == "it ended with exit code 9; its last words: dying as asked"
        await recorder.until_state("echo", ServerState.READY)


async def test_the_tools_of_a_broken_server_stay_known(tmp_path: Path) -> None:
    recorder = Recorder()
    servers = {"echo": entry(ECHO)}
    async with running(tmp_path, servers, recorder) as bridge:
        await recorder.until_state("echo", ServerState.READY)
        await fault_of(bridge, "echo.die")
        await recorder.until(
            lambda status, tools: status.state is ServerState.FAILED and len(tools) > 5
        )
        assert "echo.say" in bridge.specs()


async def test_a_program_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    servers = {
        "gone": {"command": "no-such-program"},
        "below": {"command": "./no/such/program"},
        "folder": {"command": sys.executable, "cwd": "nowhere"},
    }
    async with running(tmp_path, servers) as bridge:
        errors = {status.server: str(status.error) for status in bridge.statuses()}
        assert errors["gone"] == (
            "there is no program 'no-such-program' that can be run on the PATH of tool servers"
        )
        assert errors["below"].endswith(f"that can be run in {tmp_path}")
        assert "No such file or directory" in errors["folder"]
        fault = await fault_of(bridge, "gone.x")
        assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
        assert "no-such-program" in fault.message


async def test_a_program_that_is_no_program_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("no interpreter is named here")
    script.chmod(0o755)
    async with running(tmp_path, {"odd": {"command": "./script"}}) as bridge:
        assert "Exec format error" in str(bridge.statuses()[0].error)


async def test_a_call_cuts_the_long_rest_of_a_server_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_hour = RetryPolicy(base=timedelta(hours=1), longest=timedelta(hours=1))
    monkeypatch.setattr(session, "RESTARTS", an_hour)
    monkeypatch.setattr(session, "WANTED_REST_SECONDS", 0.0)
    script = tmp_path / "later.py"
    servers = {"later": entry(script)}
    async with running(tmp_path, servers) as bridge:
        assert bridge.statuses()[0].state is ServerState.FAILED
        script.write_text(
            f"import runpy, sys\nsys.path.insert(0, {str(ECHO.parent)!r})\n"
            f"runpy.run_path({str(ECHO)!r}, run_name='__main__')\n"
        )
        assert await value_of(bridge, "later.say", text="x") == {"text": "x"}


def test_rests_between_restarts_double_from_half_a_second_to_a_minute() -> None:
    top = [RESTARTS.rest_after(row, Always(1.0)).total_seconds() for row in range(1, 10)]
    assert top == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    low = RESTARTS.rest_after(1, Always(0.0)).total_seconds()
    assert low == 0.25


class Always(Random):
    """Draws the same place of every range."""

    def __init__(self, place: float) -> None:
        super().__init__(0)
        self._place = place

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self._place
