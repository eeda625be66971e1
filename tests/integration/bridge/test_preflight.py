"""Before runs are due: do the servers answer, and what do they offer now?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.bridge import session
from ordinaut_mcp.domain.tool import ServerState, ServerStatus
from tests.integration.bridge.running import SECONDS, Recorder, running, value_of
from tests.servers import ECHO, EVIL, entry
from tests.servers.http_echo import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def look_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FRESH_SECONDS", 0.0)


async def test_each_server_is_told_as_it_is(tmp_path: Path) -> None:
    servers: dict[str, Any] = {
        "echo": entry(ECHO),
        "gone": {"command": "no-such-program"},
        "wrong": {"comand": "x"},
    }
    async with running(tmp_path, servers) as bridge:
        found = await bridge.preflight(timeout=3 * SECONDS)
        assert [(one.server, one.state) for one in found] == [
            ("echo", ServerState.READY),
            ("gone", ServerState.FAILED),
            ("wrong", ServerState.FAILED),
        ]
        assert "there is no program 'no-such-program'" in str(found[1].error)
        assert "mcpServers.wrong.comand is not known here" in str(found[2].error)
        assert await bridge.preflight(["echo", "other"]) == [
            ServerStatus(server="echo", state=ServerState.READY),
            ServerStatus(
                server="other",
                state=ServerState.REMOVED,
                error="no tool server 'other' in the tools file",
            ),
        ]


async def test_a_catalog_that_changed_in_silence_is_found_and_told(tmp_path: Path) -> None:
    recorder = Recorder()
    async with running(tmp_path, {"evil": entry(EVIL, "drifts")}, recorder) as bridge:
        await recorder.until_state("evil", ServerState.READY)
        before = bridge.specs()["evil.t"].digest
        await bridge.preflight(["evil"])
        await recorder.until(lambda _, tools: "again" in {tool.name for tool in tools})
        assert bridge.specs()["evil.t"].digest == before
        told = len(recorder.told)
        await bridge.preflight(["evil"])
        assert len(recorder.told) == told


async def test_a_fresh_catalog_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "FRESH_SECONDS", 3600.0)
    async with running(tmp_path, {"evil": entry(EVIL, "drifts")}) as bridge:
        assert (await bridge.preflight(["evil"]))[0].state is ServerState.READY
        assert set(bridge.specs()) == {"evil.t"}


async def test_a_server_that_lists_nothing_any_more_is_failed_and_goes_on_serving(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, {"evil": entry(EVIL, "lists_once")}) as bridge:
        found = await bridge.preflight(["evil"], timeout=0.3 * SECONDS)
        assert found == [
            ServerStatus(
                server="evil",
                state=ServerState.FAILED,
                error="it did not list its tools within 0.3 s",
            )
        ]
        assert bridge.statuses()[0].state is ServerState.READY
        assert await value_of(bridge, "evil.say", k="v") == {"k": "v"}


async def test_a_server_that_lists_too_much_now_is_failed_with_the_reason(tmp_path: Path) -> None:
    async with running(tmp_path, {"evil": entry(EVIL, "grows_bulky")}) as bridge:
        found = await bridge.preflight(["evil"])
        assert found[0].state is ServerState.FAILED
        assert "catalog_too_large" in str(found[0].error)
        assert "evil.t" in bridge.specs()


async def test_a_server_over_http_that_has_gone_is_failed(tmp_path: Path) -> None:
    with serving() as echo:
        async with running(tmp_path, {"web": {"url": echo.url}}) as bridge:
            assert (await bridge.preflight())[0].state is ServerState.READY
            echo.stop()
            assert (await bridge.preflight(timeout=3 * SECONDS))[0].state is ServerState.FAILED
