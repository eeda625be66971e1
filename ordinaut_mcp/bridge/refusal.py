"""What an HTTP server says outside of MCP, put into words that reach the call it was for.

The SDK tells every such answer as "Server returned an error response"; a JSON-RPC error in its
place says more, and fails its own request alone.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

import httpx2

NOT_LET_IN: Final = -32_096
"""JSON-RPC error code of our own: the call was not carried out, as we have no right to it."""
NOT_ALLOWED: Final = -32_095
"""JSON-RPC error code of our own: the server knows us and forbids it."""
BROKEN: Final = -32_094
"""JSON-RPC error code of our own: the server, or what stands before it, failed."""

_LOOK: Final = "look at headers or auth of its entry in the tools file"


def no_token(request: httpx2.Request, why: str) -> httpx2.Response:
    """The answer to a request that was not sent, as there is no token for it."""
    return _error(request, 401, code=NOT_LET_IN, message=why)


def instead_of(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response | None:
    """What to answer in place of a refusal; None for an answer that the SDK can read itself."""
    status = response.status_code
    if status == 401:
        said = f"it answered 401 Unauthorized: {_LOOK}"
        return _error(request, status, code=NOT_LET_IN, message=said)
    if status == 403:
        said = f"it answered 403 Forbidden: {_LOOK}"
        return _error(request, status, code=NOT_ALLOWED, message=said)
    is_json = response.headers.get("content-type", "").lower().startswith("application/json")
    if (status == 429 or status >= 500) and not is_json:
        said = f"it answered {status} {_phrase(status)}".strip()
        return _error(request, status, code=BROKEN, message=said)
    return None


def _error(request: httpx2.Request, status: int, *, code: int, message: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": _id_of(request), "error": {"code": code, "message": message}}
    return httpx2.Response(status, json=body, request=request)


def _id_of(request: httpx2.Request) -> int | str | None:
    try:
        match json.loads(request.content):
            case {"id": int(number)}:
                return number
            case {"id": str(name)}:
                return name
            case _:
                return None
    except ValueError:
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
