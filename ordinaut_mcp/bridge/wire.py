"""One line of a tool server's stdout: from bytes to the message that the SDK is given.

What cannot be given whole is not lost in silence: where it can be seen which request a line
answers, that request fails with the code that says why, and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from mcp import types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from ordinaut_mcp.bridge.lines import Dropped
from ordinaut_mcp.domain.clean import OUTPUT

TOO_LARGE: Final = -32_098
"""JSON-RPC error code of our own: the answer came and was larger than we take."""
UNREADABLE: Final = -32_097
"""JSON-RPC error code of our own: the answer came and was not JSON that we can read."""

MOST_VALUES: Final = OUTPUT.nodes + 10_000
"""Values in one message: an output with its envelope."""
_EXAMINED: Final = 128 * 1024
"""Bytes. A shorter line cannot hold too many values to be read at once."""

_ID: Final = rb'"id"\s*:\s*(\d{1,15}|"[^"\\]{1,64}")'
_ID_FIRST: Final = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID)
_ID_LAST: Final = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


def message_of(line: bytes | Dropped) -> SessionMessage | None:
    """The message in a line, an error in its place, or None for a line that is not JSON-RPC."""
    if isinstance(line, Dropped):
        return instead(line, TOO_LARGE, f"the answer has {line.size} bytes")
    whole = Dropped(head=line[:512], tail=line[-512:], size=len(line))
    if line.count(b"[") + line.count(b"{") > 2 * MOST_VALUES:
        return instead(whole, TOO_LARGE, "the answer holds too many values")
    try:
        document: object = json.loads(line)
        if len(line) > _EXAMINED and _holds_too_many(document):
            return instead(whole, TOO_LARGE, "the answer holds too many values")
        message = types.jsonrpc_message_adapter.validate_python(document, by_name=False)
    except ValidationError:
        return None
    except (ValueError, RecursionError):
        return instead(whole, UNREADABLE, "the answer is not JSON that can be read")
    return SessionMessage(message)


def instead(line: Dropped, code: int, message: str) -> SessionMessage | None:
    """An error for the request that the line seems to answer, if it shows its id at either end."""
    match = _ID_FIRST.match(line.head) or _ID_LAST.search(line.tail)
    if match is None:
        return None
    error = types.ErrorData(code=code, message=message)
    request = cast("int | str", json.loads(match[1]))
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=request, error=error))


def _holds_too_many(document: object) -> bool:
    """Count values no further than to the bound."""
    count, rest = 0, [document]
    while rest:
        part = rest.pop()
        match part:
            case Mapping():
                inside = list(cast("Mapping[str, Any]", part).values())
            case list():
                inside = cast("list[Any]", part)
            case _:
                continue
        count += len(inside)
        if count > MOST_VALUES:
            return True
        rest.extend(inside)
    return False
