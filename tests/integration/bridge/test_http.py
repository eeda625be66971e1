"""Tool servers over streamable HTTP."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import pytest

from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import WITHIN, ask, fault_of, running, value_of
from tests.servers.http_echo import serving

pytestmark = pytest.mark.anyio


async def test_a_call_carries_the_headers_of_the_file_and_the_idempotency_key(
    tmp_path: Path,
) -> None:
    with serving() as echo:
        servers = {"web": {"url": echo.url, "headers": {"Authorization": "Bearer x"}}}
        async with running(tmp_path, servers) as bridge:
            assert await value_of(bridge, "web.say", a=1) == {"a": 1}
            await ask(bridge, "web.say", key="run_1/b")

    assert [call["idempotency-key"] for call in echo.calls] == ["key", "run_1/b"]
    assert {call["authorization"] for call in echo.calls} == {"Bearer x"}


@pytest.mark.parametrize("tool", ["large", "compressed"])
async def test_an_answer_that_is_too_long_or_compressed_fails_its_own_call(
    tmp_path: Path, tool: str
) -> None:
    with serving() as echo:
        async with running(tmp_path, {"web": {"url": echo.url}}) as bridge:
            fault = await fault_of(bridge, f"web.{tool}")
            assert (fault.kind, fault.sent) == (FaultKind.OUTPUT_TOO_LARGE, True)
            assert await value_of(bridge, "web.say", a=1) == {"a": 1}


async def test_a_server_that_is_not_there_is_failed_and_one_that_goes_is_told(
    tmp_path: Path,
) -> None:
    with serving() as echo:
        servers = {"web": {"url": echo.url}, "none": {"url": "http://127.0.0.1:9/mcp"}}
        async with running(tmp_path, servers) as bridge:
            states = [status.state for status in bridge.statuses()]
            assert states == [ServerState.READY, ServerState.FAILED]
            assert (await fault_of(bridge, "none.x")).kind is FaultKind.NOT_REACHABLE
            with anyio.fail_after(WITHIN):
                await anyio.to_thread.run_sync(echo.stop)
            fault = await fault_of(bridge, "web.say")
            assert (fault.kind, fault.sent) == (FaultKind.CONNECTION_LOST, True)
            fault = await fault_of(bridge, "web.say")
            assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("who", ["its time-out", "its caller"])
async def test_a_call_that_is_given_up_is_cancelled_at_the_server(
    tmp_path: Path, legacy: bool, who: str
) -> None:
    """2026-07-28: by closing its stream; 2025-11-25: by a notification."""
    with serving(legacy=legacy) as echo:
        async with running(tmp_path, {"web": {"url": echo.url}}) as bridge:
            async with anyio.create_task_group() as calls:
                within = 0.3 if who == "its time-out" else 10
                calls.start_soon(partial(ask, bridge, "web.slow", within=within))
                assert await anyio.to_thread.run_sync(echo.began.wait, WITHIN)
                if who == "its caller":
                    calls.cancel_scope.cancel()
            assert await anyio.to_thread.run_sync(echo.given_up.wait, WITHIN)
            assert await value_of(bridge, "web.say", a=1) == {"a": 1}


@pytest.mark.parametrize(
    ("status", "kind", "sent", "said"),
    [
        (401, FaultKind.NOT_REACHABLE, False, "it answered 401 Unauthorized: look at headers"),
        (403, FaultKind.DENIED, True, "it answered 403 Forbidden: look at headers or auth"),
        (429, FaultKind.TOOL_ERROR, True, "it answered 429 Too Many Requests"),
        (503, FaultKind.TOOL_ERROR, True, "it answered 503 Service Unavailable"),
        (599, FaultKind.TOOL_ERROR, True, "it answered 599"),
        (418, FaultKind.TOOL_ERROR, True, "Server returned an error response"),
    ],
)
async def test_what_http_says_outside_of_mcp_fails_its_own_call_in_clear_words(
    tmp_path: Path, status: int, kind: FaultKind, sent: bool, said: str
) -> None:
    with serving() as echo:
        async with running(tmp_path, {"web": {"url": echo.url}}) as bridge:
            fault = await fault_of(bridge, "web.status", status=status)
            assert (fault.kind, fault.sent) == (kind, sent)
            assert said in fault.message
            assert await value_of(bridge, "web.say", a=1) == {"a": 1}


async def test_a_server_that_wants_a_token_says_where_it_would_be_given(tmp_path: Path) -> None:
    with serving(guarded=True) as echo:
        async with running(tmp_path, {"web": {"url": echo.url}}) as bridge:
            assert bridge.statuses()[0].error == (
                "it answered 401 Unauthorized: look at headers or auth of its entry in the "
                "tools file"
            )
