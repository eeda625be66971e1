"""What becomes of one line of a tool server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCResponse

from ordinaut_mcp.bridge.lines import Dropped
from ordinaut_mcp.bridge.wire import TOO_LARGE, UNREADABLE, message_of


def answer(value: Any, request: int | str = 7) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request, "result": {"a": value}}).encode()


def error_in(line: bytes | Dropped) -> tuple[int | str | None, int]:
    session_message = message_of(line)
    assert session_message is not None
    assert isinstance(session_message.message, JSONRPCError)
    return session_message.message.id, session_message.message.error.code


def test_an_answer_passes_as_it_is() -> None:
    session_message = message_of(answer({"b": [1, 2.5, None]}))
    assert session_message is not None
    assert session_message.message == JSONRPCResponse(
        jsonrpc="2.0", id=7, result={"a": {"b": [1, 2.5, None]}}
    )


def test_a_notification_passes() -> None:
    session_message = message_of(b'{"jsonrpc": "2.0", "method": "notifications/x"}')
    assert session_message is not None
    assert isinstance(session_message.message, JSONRPCNotification)


@pytest.mark.parametrize("line", [b"", b"hello", b"{bad", b"[]", b'{"jsonrpc": "2.0"}', b"\xff"])
def test_junk_is_no_message(line: bytes) -> None:
    assert message_of(line) is None


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000 + "]" * 100_000, "{", "\x00"])
def test_an_answer_that_cannot_be_read_fails_its_request(value: str) -> None:
    line = f'{{"jsonrpc": "2.0", "id": 7, "result": {value}}}'.encode()
    assert error_in(line) == (7, UNREADABLE)


TOO_MANY: list[Any] = [[[]] * 1_000_000, [0] * 300_000, {"k": [{}] * 250_000}]


@pytest.mark.parametrize("value", TOO_MANY)
def test_an_answer_of_too_many_values_fails_its_request(value: Any) -> None:
    assert error_in(answer(value)) == (7, TOO_LARGE)


def test_an_answer_of_many_values_but_not_too_many_passes() -> None:
    session_message = message_of(answer([0] * 190_000))
    assert session_message is not None
    assert isinstance(session_message.message, JSONRPCResponse)


@pytest.mark.parametrize(
    ("head", "tail", "request_id"),
    [
        (b'{"jsonrpc":"2.0","id":12,"result":{', b"...", 12),
        (b'{"id": "twelve", "jsonrpc": "2.0"', b"...", "twelve"),
        (b'{"result":{"id": 5', b'"},"jsonrpc":"2.0","id":12}', 12),
        (b'{"result":{"id": 5', b'"},"id":12,"jsonrpc":"2.0"}', 12),
    ],
)
def test_a_dropped_line_fails_the_request_whose_id_it_shows(
    head: bytes, tail: bytes, request_id: int | str
) -> None:
    assert error_in(Dropped(head, tail, 5_000_000)) == (request_id, TOO_LARGE)


@pytest.mark.parametrize(
    ("head", "tail"), [(b"xxxx", b"xxxx"), (b'{"result":{"id": 5', b'"id": 5, "x": "y"}')]
)
def test_a_dropped_line_without_an_id_is_junk(head: bytes, tail: bytes) -> None:
    assert message_of(Dropped(head, tail, 5_000_000)) is None
