"""Tool servers that want a token: it is fetched, kept, renewed, and told when there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge import tokens
from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import ask, fault_of, running, value_of
from tests.servers.http_echo import HttpEcho, serving

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("legacy", [False, True])


def crm(echo: HttpEcho, **more: Any) -> dict[str, Any]:
    auth = {
        "type": "client_credentials",
        "token_url": echo.token_url,
        "client_id": "ordi naut",
        "client_secret": "s3cret:/",
    }
    return {"crm": {"url": echo.url, "auth": auth | more}}


@ERAS
async def test_a_token_is_fetched_once_and_carried_by_every_request(
    tmp_path: Path, legacy: bool
) -> None:
    with serving(guarded=True, legacy=legacy) as echo:
        async with running(tmp_path, crm(echo, scope="read write")) as bridge:
            assert await value_of(bridge, "crm.say", a=1) == {"a": 1}
            assert await value_of(bridge, "crm.say", a=2) == {"a": 2}

    assert echo.token_requests == [
        {
            "grant_type": "client_credentials",
            "scope": "read write",
            "resource": echo.url,
            "basic": "ordi%20naut:s3cret%3A%2F",
        }
    ]
    assert {call["authorization"] for call in echo.calls} == {"Bearer token-1"}


@ERAS
async def test_a_401_in_the_middle_gets_one_new_token_and_the_call_is_made(
    tmp_path: Path, legacy: bool
) -> None:
    with serving(guarded=True, legacy=legacy) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            await value_of(bridge, "crm.say", a=1)
            echo.revoke()
            async with anyio.create_task_group() as calls:
                for number in range(5):
                    calls.start_soon(partial(value_of, bridge, "crm.say", a=number))
            assert len(echo.token_requests) == 2
            assert [call["authorization"] for call in echo.calls[1:]] == ["Bearer token-2"] * 5


async def test_a_token_that_nears_its_end_is_renewed_before_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(tokens, "monotonic", lambda: now)
    with serving(guarded=True, lifetime=100) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            now = 69.0
            await value_of(bridge, "crm.say")
            assert len(echo.token_requests) == 1
            now = 71.0
            await value_of(bridge, "crm.say")
            assert len(echo.token_requests) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, '{"error": "invalid_client"}'), "gave none: 401 invalid_client"),
        (
            (400, '{"error": "invalid_scope", "error_description": "no such scope"}'),
            "gave none: 400 invalid_scope: no such scope",
        ),
        ((500, "<html>"), "gave none: 500"),
        ((200, "{}"), "gave none: what it answered holds no Bearer token"),
        ((200, "x" * 70_000), "gave none: it answered more than 65536 bytes"),
        ((302, "[]"), "gave none: 302"),
    ],
)
async def test_a_server_without_a_token_is_failed_with_the_reason(
    tmp_path: Path, answer: tuple[int, str], said: str
) -> None:
    with serving(guarded=True, token_error=answer) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            status = bridge.statuses()[0]
            assert status.state is ServerState.FAILED
            assert status.error == f"the token endpoint at 127.0.0.1 {said}"
            assert "s3cret" not in str(status)


@ERAS
async def test_a_call_for_which_there_is_no_token_any_more_was_not_sent(
    tmp_path: Path, legacy: bool
) -> None:
    with serving(guarded=True, legacy=legacy) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            echo.revoke()
            echo.token_error = (401, '{"error": "invalid_client"}')
            fault = await fault_of(bridge, "crm.say")
            assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
            assert fault.message == (
                "the tool server crm is not ready: the token endpoint at 127.0.0.1 gave none: "
                "401 invalid_client"
            )
            echo.token_error = None
            assert await value_of(bridge, "crm.say", a=1) == {"a": 1}
            assert len(echo.calls) == 1


async def test_a_token_endpoint_that_is_not_there_is_told(tmp_path: Path) -> None:
    with serving(guarded=True) as echo:
        servers = crm(echo, token_url="http://127.0.0.1:9/token")  # noqa: S106 - a URL
        async with running(tmp_path, servers) as bridge:
            assert "127.0.0.1 gave none: All connection attempts failed" in str(
                bridge.statuses()[0].error
            )


async def test_a_token_that_is_not_good_enough_is_asked_for_once_more_and_then_told(
    tmp_path: Path,
) -> None:
    with serving(guarded=True) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            echo.tokens = [*echo.tokens, "never given"]
            echo.token_error = (200, '{"access_token": "stale", "token_type": "Bearer"}')
            asked = len(echo.token_requests)
            fault = await fault_of(bridge, "crm.say")
            assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
            assert fault.message == (
                "the tool server crm is not ready: it answered 401 Unauthorized: "
                "look at headers or auth of its entry in the tools file"
            )
            assert len(echo.token_requests) == asked + 1


async def test_a_token_that_comes_too_late_is_waited_for_no_longer_than_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "ANSWER_WITHIN", 0.0)
    with serving(guarded=True) as echo:
        async with running(tmp_path, crm(echo)) as bridge:
            assert "gave none: no answer" in str(bridge.statuses()[0].error)
            await ask(bridge, "crm.say", within=0.2)
