"""What goes wrong with a call, as a value."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mcp import MCPError
from mcp.types import CallToolResult
from pydantic import ValidationError

from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.faults import fault_of, not_reachable, reason_of, timed_out
from ordinaut_mcp.bridge.wire import TOO_LARGE, UNREADABLE
from ordinaut_mcp.domain.tool import Fault, FaultKind


def not_valid() -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        CallToolResult.model_validate({"content": 5})
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MCPError(-32603, "broken"), FaultKind.TOOL_ERROR),
        (MCPError(-32602, "no such argument"), FaultKind.BAD_ARGUMENTS),
        (MCPError(-32700, "not JSON"), FaultKind.BAD_OUTPUT),
        (MCPError(TOO_LARGE, "large"), FaultKind.OUTPUT_TOO_LARGE),
        (MCPError(-32700, "message_too_large"), FaultKind.OUTPUT_TOO_LARGE),
        (MCPError(UNREADABLE, "unreadable"), FaultKind.UNSTORABLE_OUTPUT),
        (MCPError(-32000, "an error of the server's own"), FaultKind.TOOL_ERROR),
        (MCPError(-32000, "Connection closed"), FaultKind.CONNECTION_LOST),
        (not_valid(), FaultKind.BAD_OUTPUT),
        (RuntimeError("odd"), FaultKind.TOOL_ERROR),
    ],
)
def test_each_error_of_a_call_has_its_kind_and_counts_as_sent(
    error: Exception, kind: FaultKind
) -> None:
    fault = fault_of(error, Account(server="s"))
    assert (fault.kind, fault.sent) == (kind, True)
    assert fault.message


def test_an_error_without_words_still_says_something() -> None:
    fault = fault_of(MCPError(-32001, ""), Account(server="s"))
    assert fault.message == "the tool server answered with error -32001"


@pytest.mark.anyio
async def test_any_error_of_that_code_is_a_lost_connection_once_it_has_ended() -> None:
    account = Account(server="s", reason="message_too_large")
    account.ended.set()
    fault = fault_of(MCPError(-32000, "boom"), account)
    assert fault.kind is FaultKind.CONNECTION_LOST
    assert fault.message == "the connection was lost during the call: message_too_large"


@pytest.mark.anyio
async def test_a_forgotten_session_was_not_called_and_is_made_anew() -> None:
    account = Account(server="s")
    fault = fault_of(MCPError(-32600, "Session terminated"), account)
    assert fault == not_reachable("s", "it has forgotten the session")
    assert not fault.sent
    assert account.ended.is_set()


def test_a_time_out_says_whether_the_call_was_sent() -> None:
    span = timedelta(seconds=1.5)
    assert timed_out(span, sent=True) == Fault(
        kind=FaultKind.TIMEOUT, message="no answer within 1.5 s", sent=True
    )
    assert timed_out(span, sent=False).message == "no free place on the tool server within 1.5 s"
    assert not timed_out(span, sent=False).sent


def test_a_server_that_is_not_reachable_comes_with_the_command_that_looks_at_it() -> None:
    fault = not_reachable("mail", "no")
    assert fault.hint == "ordinaut-mcp tools test mail"
    assert fault.kind is FaultKind.NOT_REACHABLE


def test_why_a_connection_failed_is_found_inside_groups() -> None:
    account = Account(server="s")
    group = ExceptionGroup("a", [ExceptionGroup("b", [OSError("refused")]), ValueError()])
    assert reason_of(group, account) == "refused"
    assert reason_of(KeyError(), account) == "KeyError"
    assert reason_of(not_valid(), account).startswith("what it answered is not what MCP allows")
    account.tail.feed(b"no key\n")
    assert reason_of(TimeoutError("late"), account) == "late; its last words: no key"
    closed = MCPError(-32000, "Connection closed")
    assert reason_of(closed, account) == "it closed the connection; its last words: no key"
