"""Where what goes wrong with a call becomes a value: no exception of the SDK passes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

from mcp import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    PARSE_ERROR,
)
from pydantic import ValidationError

from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.ongoing import Progress
from ordinaut_mcp.bridge.question import HINTS, Asks, Question
from ordinaut_mcp.bridge.refusal import NOT_ALLOWED, NOT_LET_IN
from ordinaut_mcp.bridge.result import kept, too_large
from ordinaut_mcp.bridge.wire import TOO_LARGE, UNREADABLE
from ordinaut_mcp.domain.tool import Fault, FaultKind, ToolOutcome

_KINDS: Final = {
    UNREADABLE: FaultKind.UNSTORABLE_OUTPUT,
    PARSE_ERROR: FaultKind.BAD_OUTPUT,
    INVALID_PARAMS: FaultKind.BAD_ARGUMENTS,
    NOT_ALLOWED: FaultKind.DENIED,
}


def fault_of(error: Exception, account: Account, *, alone: bool = True) -> Fault:
    """The fault that an exception of a call that was sent stands for.

    `alone`: no other call was under way on its connection.
    """
    match error:
        case ValidationError():
            message = f"the answer is not what MCP allows: {error.errors()[0]['msg']}"
            return Fault(kind=FaultKind.BAD_OUTPUT, message=kept(message), sent=True)
        case MCPError():
            return _protocol_fault(error, account, alone=alone)
        case _:
            message = f"the call failed: {error}"
            return Fault(kind=FaultKind.TOOL_ERROR, message=kept(message), sent=True)


def _protocol_fault(error: MCPError, account: Account, *, alone: bool) -> Fault:
    if error.code == TOO_LARGE or "message_too_large" in error.message:
        return too_large(error.message)
    if error.code == NOT_LET_IN:
        return not_reachable(account.server, error.message)
    if error.code == MISSING_REQUIRED_CLIENT_CAPABILITY:
        return _wants_more(error)
    if error.code == INVALID_REQUEST and error.message == "Session terminated":  # HTTP 404
        account.reason = "it has forgotten the session"
        account.ended.set()
        return not_reachable(account.server, account.reason)
    if error.code == CONNECTION_CLOSED and _is_closed(error, account):
        return _lost(account, alone=alone)
    kind = _KINDS.get(error.code, FaultKind.TOOL_ERROR)
    message = error.message or f"the tool server answered with error {error.code}"
    return Fault(kind=kind, message=kept(message), sent=True)


def _lost(account: Account, *, alone: bool) -> Fault:
    """The connection ended in the middle of the call, perhaps by the call's own answer."""
    account.ended.set()
    message = kept(f"the connection was lost during the call: {account.says()}")
    if account.flooded and alone:
        hint = "let the tool return less: a page, a summary or a link"
        return Fault(kind=FaultKind.MESSAGE_TOO_LARGE, message=message, hint=hint, sent=True)
    return Fault(kind=FaultKind.CONNECTION_LOST, message=message, sent=True)


def _wants_more(error: MCPError) -> Fault:
    """The tool server will not answer a client that cannot be asked; it did nothing."""
    match error.error.data:
        case {"requiredCapabilities": {**wanted}}:
            names = ", ".join(sorted(str(name) for name in wanted))
        case _:
            names = error.message
    hint = next((text for asks, text in HINTS.items() if asks in names), HINTS[Asks.ELICITATION])
    message = f"the tool needs of its client what a scheduled run has not: {names}"
    return Fault(kind=FaultKind.INPUT_REQUIRED, message=kept(message), hint=hint)


def unanswered(question: Question, uses: str, outcome: ToolOutcome | None) -> Fault:
    """The call ended because nobody answered what its tool asked."""
    ended = f"; it then failed: {outcome.message}" if isinstance(outcome, Fault) else ""
    message = f"{uses} {question.says}{ended}"
    hint = HINTS[question.asks]
    return Fault(kind=FaultKind.INPUT_REQUIRED, message=kept(message), hint=hint, sent=True)


def _is_closed(error: MCPError, account: Account) -> bool:
    """Servers use this code for errors of their own, too."""
    return account.ended.is_set() or error.message == "Connection closed"


def timed_out(timeout: timedelta, *, sent: bool, progress: Progress | None = None) -> Fault:
    what = "no answer" if sent else "no free place on the tool server"
    message = f"{what} within {timeout.total_seconds():g} s"
    if progress:
        message += f"; its last progress: {progress.says()}"
    return Fault(kind=FaultKind.TIMEOUT, message=kept(message), sent=sent)


def not_reachable(server: str, why: str) -> Fault:
    return Fault(
        kind=FaultKind.NOT_REACHABLE,
        message=kept(f"the tool server {server} is not ready: {why}"),
        hint=f"ordinaut-mcp tools test {server}",
    )


def reason_of(error: Exception, account: Account) -> str:
    """One sentence for a person: why a connection could not be made or kept."""
    error = _first(error)
    if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
        return kept(account.says())
    if isinstance(error, ValidationError):
        return kept(f"what it answered is not what MCP allows: {error.errors()[0]['msg']}")
    words = account.tail.last_words()
    said = str(error) or type(error).__name__
    return kept(f"{said}; its last words: {words}" if words else said)


def _first(error: Exception) -> Exception:
    """What really happened, out of the groups that task groups wrap around it."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error
