"""What `http.request` sends, made of a step's arguments; and what can be told when it is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.step import Pipeline
from ordinaut_mcp.domain.tool import Fault, FaultKind
from ordinaut_mcp.domain.web_url import WebUrl, parse_url
from ordinaut_mcp.errors import InvalidInput

USES: Final = "http.request"
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Ask for nothing but an answer (RFC 9110 §9.2.1)."""
REPEATABLE: Final = SAFE | {"PUT", "DELETE"}
"""Twice is as good as once (RFC 9110 §9.2.2)."""
MOST_BYTES: Final = 1024 * 1024
MOST_HEADERS: Final = 64
LARGEST_HEADERS: Final = 32 * 1024
MOST_REDIRECTS: Final = 5
IDEMPOTENCY: Final = "idempotency-key"

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE: Final = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te"}
    | {"trailer", "transfer-encoding", "upgrade"}
)
"""Headers that frame the message or name its receiver: set here and by nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """One request, checked as far as its text tells; header names in lower case."""

    method: str
    url: WebUrl
    headers: Mapping[str, str]
    content: bytes | None = None
    allow_status: frozenset[int] = frozenset()
    max_bytes: int = MOST_BYTES
    max_redirects: int = MOST_REDIRECTS
    allow_http: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """What came back: the last answer, with the redirects before it followed."""

    url: WebUrl
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def web_request(
    arguments: Mapping[str, Any], *, idempotency_key: str, allowance: Allowance
) -> WebRequest:
    """The request of arguments that fit the tool's schema.

    Raises:
        InvalidInput: too_long, invalid_url, blocked_address, blocked_port, invalid_header,
            invalid_method or invalid.
    """
    field = "with"
    if "json" in arguments and "body" in arguments:
        raise InvalidInput(
            f"{field} holds both body and json: give one of them", field=f"{field}.json"
        )
    method = check_method(arguments.get("method", "GET"), f"{field}.method")
    headers = check_headers(arguments.get("headers", {}), f"{field}.headers")
    content = _content(arguments, headers)
    if method not in SAFE:
        headers.setdefault(IDEMPOTENCY, idempotency_key)
    url = parse_url(
        arguments["url"],
        field=f"{field}.url",
        allowance=allowance,
        allow_http=arguments.get("allow_http", False),
    )
    return WebRequest(
        method=method,
        url=url.asking(arguments.get("query", {})),
        headers=headers,
        content=content,
        allow_status=frozenset(arguments.get("allow_status", ())),
        max_bytes=arguments.get("max_bytes", MOST_BYTES),
        max_redirects=arguments.get("max_redirects", MOST_REDIRECTS),
        allow_http=arguments.get("allow_http", False),
    )


def refused(error: InvalidInput) -> Fault:
    """What a refusal is to the step that meets it."""
    known = set(FaultKind)
    kind = FaultKind(error.code) if error.code in known else FaultKind.BAD_ARGUMENTS
    return Fault(kind=kind, message=error.message, hint=error.hint)


def _content(arguments: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    if "json" in arguments:
        headers.setdefault("content-type", "application/json")
        return json.dumps(arguments["json"], ensure_ascii=False, separators=(",", ":")).encode()
    if "body" in arguments:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return str(arguments["body"]).encode()
    return None


def check_web_steps(pipeline: Pipeline, *, allowance: Allowance) -> None:
    """Refuse when it is stored what no run could send; what templates fill in is left to the run.

    To be called before the arguments are held to schemas, whose words are less to the point.

    Raises:
        InvalidInput: as `web_request`, with the field of the argument.
    """
    for step in pipeline.every_step():
        if step.uses == USES:
            _check_arguments(step.arguments, f"{step.field}.with", allowance)


def _check_arguments(arguments: Mapping[str, Any], field: str, allowance: Allowance) -> None:
    method, url, headers = (arguments.get(name) for name in ("method", "url", "headers"))
    if _is_literal(method):
        check_method(method, f"{field}.method")
    if _is_literal(url):
        allow_http = arguments.get("allow_http", False) is not False
        parse_url(url, field=f"{field}.url", allowance=allowance, allow_http=allow_http)
    if isinstance(headers, dict):
        given = cast("dict[str, Any]", headers)
        known = {name: value for name, value in given.items() if _is_literal(value)}
        check_headers(known, f"{field}.headers")


def _is_literal(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "${" not in value


def check_method(method: str, field: str) -> str:
    """The method itself.

    Raises:
        InvalidInput: invalid_method.
    """
    if method not in METHODS:
        raise InvalidInput(
            f"{field}: there is no method '{method[:20]}' here",
            code="invalid_method",
            field=field,
            allowed=METHODS,
        )
    return method


def check_headers(headers: Mapping[str, str], field: str) -> dict[str, str]:
    """The headers with their names in lower case.

    Raises:
        InvalidInput: invalid_header.
    """
    checked: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if problem := _header_problem(name, value, checked):
            raise _bad_header(f"{field}.{given[:128]}", problem)
        checked[name] = value
    size = sum(len(name) + len(value) + 4 for name, value in checked.items())
    if len(checked) > MOST_HEADERS or size > LARGEST_HEADERS:
        raise _bad_header(field, f"holds more than {MOST_HEADERS} headers or 32 KiB")
    return checked


def _header_problem(name: str, value: str, others: Mapping[str, str]) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "is no name of a header"
    if name in _OURS or name.startswith("proxy-"):
        return "is a header that is set by Ordinaut itself"
    if name in others:
        return "is given twice"
    if not _VALUE.fullmatch(value):
        return "has a value with control characters, spaces around it, or beyond ASCII"
    return None


def _bad_header(field: str, what: str) -> InvalidInput:
    return InvalidInput(f"{field} {what}", code="invalid_header", field=field)
