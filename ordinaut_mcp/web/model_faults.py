"""What the errors of the providers' client libraries are to a step.

Both libraries are made by one generator and name their errors alike.
"""

from __future__ import annotations

from typing import Any, Final

import httpx2

from ordinaut_mcp.domain.tool import Fault, FaultKind

LONGEST: Final = 500
_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)
_KINDS: Final = {
    400: FaultKind.BAD_ARGUMENTS,
    401: FaultKind.DENIED,
    402: FaultKind.DENIED,
    403: FaultKind.DENIED,
    404: FaultKind.BAD_ARGUMENTS,
    413: FaultKind.BAD_ARGUMENTS,
    422: FaultKind.BAD_ARGUMENTS,
}
"""Statuses that would be the same the next time; the others are worth another attempt."""
_HINTS: Final = {
    FaultKind.DENIED: "Look at ORDINAUT_LLM_API_KEY and at the account that it belongs to.",
    FaultKind.BAD_ARGUMENTS: "Look at ORDINAUT_LLM_MODEL, at the step's schema and sizes.",
}


def fault_of(error: Exception, *, library: Any, secret: str | None) -> Fault:
    """The fault; the key is not in it, whatever the provider says."""
    if isinstance(error, library.APIStatusError):
        return _refused(error, secret)
    sent = not isinstance(error.__cause__, _NOT_SENT)
    if isinstance(error, library.APITimeoutError):
        kind, what = FaultKind.TIMEOUT, "The model did not answer in time"
    elif isinstance(error, library.APIConnectionError) and sent:
        kind, what = FaultKind.CONNECTION_LOST, "The connection to the model was lost"
    elif isinstance(error, library.APIConnectionError):
        kind, what = FaultKind.NOT_REACHABLE, "The model's provider cannot be reached"
    else:
        kind, what = FaultKind.BAD_OUTPUT, "What the provider answered cannot be read"
    cause = _masked(str(error.__cause__ or error), secret)
    return Fault(kind=kind, message=f"{what}: {cause}" if cause else f"{what}.", sent=sent)


def _refused(error: Any, secret: str | None) -> Fault:
    status: int = error.status_code
    kind = _KINDS.get(status, FaultKind.TOOL_ERROR)
    wait = str(error.response.headers.get("retry-after", ""))[:40]
    hint = _HINTS.get(kind)
    if wait and kind is FaultKind.TOOL_ERROR:
        hint = f"The provider asks to wait (Retry-After: {wait}{' s' if wait.isdigit() else ''})."
    message = f"The model's provider answered {status}: {_masked(error.message, secret)}"
    return Fault(kind=kind, message=message, hint=hint, sent=True)


def _masked(text: str, secret: str | None) -> str:
    return (text.replace(secret, "***") if secret else text)[:LONGEST]
