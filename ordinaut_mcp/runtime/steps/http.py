"""`http.request`: one HTTP call, and what its answer is to the pipeline."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from email.message import Message
from typing import Any, Final

from ordinaut_mcp.domain.clean import OUTPUT, strict_loads
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolHints, ToolOutcome
from ordinaut_mcp.domain.web_request import (
    REPEATABLE,
    SAFE,
    WebAnswer,
    WebRequest,
    refused,
    web_request,
)
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.ports import WebCaller
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall

LONGEST: Final = timedelta(hours=1)
"""The largest time-out that a step may have; a shorter one ends the call from outside."""
TOLD: Final = 300
"""Characters of a refusing server's answer that the error holds."""
_WAIT_STATUSES: Final = frozenset({429, 503})
_CHARSETS: Final = re.compile(
    r"us-ascii|utf-?(8|16|16le|16be)|iso-8859-[0-9]{1,2}|windows-125[0-9]|koi8-[ru]"
    r"|shift_jis|euc-(jp|kr)|gb2312|gbk|gb18030|big5"
)
"""Those that are read in linear time; others (punycode) are not."""
_RETRY_AFTER: Final = re.compile(r"[0-9A-Za-z,: +-]{1,40}")


def requester(web: WebCaller | None) -> Builtin:
    """The built-in over this way out; without one every call says that there is none."""

    async def request(call: StepCall) -> ToolOutcome:
        if web is None:
            message = "This process makes no requests to the world outside."
            return Fault(kind=FaultKind.NOT_REACHABLE, message=message)
        try:
            asked = web_request(
                call.arguments, idempotency_key=call.idempotency_key, allowance=web.allowance
            )
        except InvalidInput as error:
            return refused(error)
        answer = await web.request(asked, within=call.timeout or LONGEST)
        return answer if isinstance(answer, Fault) else _outcome(asked, answer)

    return request


def request_hints(arguments: Mapping[str, Any]) -> ToolHints:
    """What a call with these arguments does, by its method (RFC 9110 §9.2); for `on_unknown`."""
    method = arguments.get("method", "GET")
    is_safe = method in SAFE
    return ToolHints(
        read_only=is_safe,
        destructive=not is_safe,
        idempotent=method in REPEATABLE,
        open_world=True,
    )


def _outcome(request: WebRequest, answer: WebAnswer) -> ToolOutcome:
    if answer.status >= 400 and answer.status not in request.allow_status:
        return _failed(request, answer)
    result: dict[str, Any] = {
        "status": answer.status,
        "headers": dict(answer.headers),
        "url": str(answer.url),
    }
    return Returned({**result, **_content(answer)})


def _content(answer: WebAnswer) -> dict[str, Any]:
    """The body as the value it spells, else as text, else as it is."""
    kind, charset = _media_type(answer)
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return {"json": strict_loads(answer.body, field="json", limits=OUTPUT)}
        except InvalidInput:
            pass  # what does not read as it says is still a text
    text = _text(answer.body, charset)
    if text is None:
        return {"body_base64": base64.b64encode(answer.body).decode()}
    return {"body": text}


def _media_type(answer: WebAnswer) -> tuple[str, str]:
    """The type, and the charset that it names."""
    message = Message()
    message["content-type"] = answer.headers.get("content-type", "")
    return message.get_content_type(), message.get_content_charset("utf-8")


def _text(body: bytes, charset: str) -> str | None:
    for encoding in (charset, "utf-8"):
        try:
            text = body.decode(encoding if _CHARSETS.fullmatch(encoding) else "utf-8")
        except (LookupError, UnicodeError):
            continue
        return None if "\0" in text else text
    return None


def _failed(request: WebRequest, answer: WebAnswer) -> Fault:
    said = (_text(answer.body, _media_type(answer)[1]) or "").strip()
    told = f": {said[:TOLD]}" if said else ""
    return Fault(
        kind=FaultKind.TOOL_ERROR,
        message=f"{request.method} {answer.url.shown} answered {answer.status}"
        f" {answer.reason}".rstrip()
        + told,
        hint=_hint(answer),
        sent=True,
    )


def _hint(answer: WebAnswer) -> str:
    wait = answer.headers.get("retry-after", "")
    if answer.status in _WAIT_STATUSES and _RETRY_AFTER.fullmatch(wait):
        return f"The server asks to wait (Retry-After: {wait}{' s' if wait.isdigit() else ''})."
    return f"If this is a result for the step, give allow_status: [{answer.status}]."
