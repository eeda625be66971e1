"""What an error of ours is to the step whose built-in tool met it."""

from __future__ import annotations

from ordinaut_mcp.domain.tool import Fault, FaultKind
from ordinaut_mcp.errors import InvalidInput, NotAllowed, NotFound, OrdinautError, Unavailable


def as_fault(error: OrdinautError) -> Fault:
    """The fault, of the kind that decides about retries.

    What is not there and what is not allowed are told alike, and neither is tried again.
    """
    match error:
        case Unavailable():
            kind = FaultKind.NOT_REACHABLE
        case InvalidInput():
            kind = FaultKind.BAD_ARGUMENTS
        case NotFound() | NotAllowed():
            kind = FaultKind.DENIED
        case _:
            kind = FaultKind.TOOL_ERROR
    return Fault(kind=kind, message=error.message, hint=error.hint)
