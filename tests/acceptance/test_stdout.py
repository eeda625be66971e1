"""Nothing but JSON-RPC on stdout of the stdio server, whatever happens."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from tests.acceptance.product import Product
from tests.acceptance.raw import RawServer
from tests.acceptance.tasks import task


def messages(server: RawServer) -> Sequence[dict[str, Any]]:
    """Every line of stdout; each one must be a JSON-RPC message."""
    said = [json.loads(line) for line in server.lines]
    assert all(message["jsonrpc"] == "2.0" for message in said)
    return said


PARSE_ERROR, INVALID_REQUEST = -32700, -32600
BAD_LINES = [
    pytest.param(b"hello", PARSE_ERROR, None, id="no JSON"),
    pytest.param(b'{"jsonrpc": "2.0", "id": 1, "method"', PARSE_ERROR, None, id="half a message"),
    pytest.param(b"\xff\xfe", PARSE_ERROR, None, id="no UTF-8"),
    pytest.param(b'{"jsonrpc":"2.0\xff"}', PARSE_ERROR, None, id="no UTF-8 in a text"),
    pytest.param(b"[" * 200_000, PARSE_ERROR, None, id="200,000 brackets"),
    pytest.param(b"[]", INVALID_REQUEST, None, id="an empty batch"),
    pytest.param(
        b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', INVALID_REQUEST, 1, id="another version"
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":"' + b"i" * 100_000 + b'","method":"tools/list"}',
        INVALID_REQUEST,
        None,
        id="a long id",
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', INVALID_REQUEST, None, id="half an id"
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":"' + b"x" * 5_242_880 + b'"}}',
        INVALID_REQUEST,
        7,
        id="5 MiB",
    ),
    pytest.param(b"x" * 17_000_000, INVALID_REQUEST, None, id="17 MB"),
    pytest.param(
        b'{"jsonrpc":"2.0","id":8,"method":"tools/list","params":{"x":NaN}}',
        INVALID_REQUEST,
        8,
        id="no number",
    ),
]


@pytest.fixture(scope="module")
def rough(product: Product) -> Any:
    """A server that gets bad lines, one after another."""
    with product.raw(agent="rough") as server:
        server.greet()
        yield server


@pytest.mark.parametrize(("line", "code", "number"), BAD_LINES)
def test_a_line_that_cannot_be_read_is_answered_as_json_rpc_says(
    rough: RawServer, line: bytes, code: int, number: int | None
) -> None:
    rough.send(line)
    answer = rough.answer(number)
    assert answer["error"]["code"] == code
    assert rough.call("get_status", {})["isError"] is False
    assert rough.child.poll() is None
    messages(rough)
    assert rough.log == ""


def test_an_empty_line_is_nothing(rough: RawServer) -> None:
    before = len(rough.lines)
    rough.send(b"")
    rough.send(b"   ")
    assert rough.call("get_status", {})["isError"] is False
    assert len(rough.lines) == before + 1


def test_a_session_from_start_to_end_writes_messages_only(product: Product, key: str) -> None:
    chatty = task(key=key, pipeline=[{"id": "j", "uses": "evil.junk", "with": {}}])
    with product.raw() as server:
        server.greet()
        server.request("tools/list", {})
        assert server.call("schedule_task", chatty)["isError"] is False
        run = server.call("run_now", {"task": key, "wait_seconds": 20})["structuredContent"]["run"]
        assert run["state"] == "succeeded"
        assert server.call("schedule_task", {"title": ""})["isError"] is True
        assert "error" in server.request("no/such/method", {})
        assert server.leave() == 0
    assert len(messages(server)) == 6
    assert server.log == ""


def test_a_told_end_is_a_clean_one(product: Product) -> None:
    with product.raw() as server:
        server.greet()
        server.call("get_status", {})
        server.child.send_signal(signal.SIGTERM)
        server.gone()
    assert len(messages(server)) == 2
    assert "Traceback" not in server.log


def test_a_start_that_fails_says_why_on_stderr_alone(product: Product) -> None:
    with product.raw(worker_slots="many") as server:
        assert server.gone() == 1
    assert server.lines == []
    assert "ORDINAUT_WORKER_SLOTS" in server.log
    assert "Traceback" not in server.log


def test_a_crash_inside_a_tool_is_a_message_and_its_cause_is_on_stderr(product: Product) -> None:
    # A database that is no Ordinaut's and a runtime that cannot start: nothing works behind it.
    home = product.folder / "blocked"
    home.mkdir()
    (home / "logs").write_text("a file is in the way", encoding="utf-8")
    with product.raw(home=str(home)) as server:
        server.greet()
        result = server.call("get_status", {})
    error = result["structuredContent"]["error"]
    assert result["isError"] is True
    assert error["code"] in {"invalid", "unavailable", "invalid_config"}
    assert "logs" in error["message"]
    assert len(messages(server)) == 2
    assert "Traceback" not in server.log
