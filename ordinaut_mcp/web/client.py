"""Requests to the world outside: one connection for each, redirects followed by hand."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import anyio
import httpcore2

from ordinaut_mcp import __version__
from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.tool import Fault, FaultKind
from ordinaut_mcp.domain.web_request import (
    IDEMPOTENCY,
    LARGEST_HEADERS,
    WebAnswer,
    WebRequest,
    refused,
)
from ordinaut_mcp.domain.web_url import WebUrl, redirected
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.web import network
from ordinaut_mcp.web.body import ENCODING, BodyTooLarge, BodyUnreadable, read_body

CONNECT_WITHIN: Final = 5.0
"""Seconds for the name, and again for the connection."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_ACROSS: Final = frozenset(
    {"accept", "accept-language", "content-type", "user-agent", IDEMPOTENCY}
)
"""What another origin may see: no credentials, whatever header they are in."""
_OF_CONTENT: Final = frozenset({"content-type", "content-language", IDEMPOTENCY})


@dataclass(slots=True)
class _Journey:
    """How far a request has come; `sent`: something of it may have reached a server."""

    sent: bool = False


class WebClient:
    """Keeps the rules of security.md U27; the environment's proxies are not used."""

    def __init__(
        self,
        allowance: Allowance,
        *,
        resolve: network.Resolve = network.resolve,
        dial: network.Dial = network.dial,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowance = allowance
        self._resolve = resolve
        self._dial = dial
        self._tls = tls

    @property
    def allowance(self) -> Allowance:
        """What is open besides the public Internet."""
        return self._allowance

    async def request(self, request: WebRequest, *, within: timedelta) -> WebAnswer | Fault:
        """The answer, redirects followed, of any status; what goes wrong comes back as a value."""
        journey = _Journey()
        try:
            with anyio.fail_after(within.total_seconds()):
                return await self._travel(request, journey)
        except InvalidInput as error:
            return replace(refused(error), sent=journey.sent)
        except BodyTooLarge:
            return _too_large(request)
        except BodyUnreadable as error:
            return _fault(FaultKind.BAD_OUTPUT, request, f"its answer cannot be read: {error}")
        except (TimeoutError, httpcore2.TimeoutException):
            return _timed_out(request, within, sent=journey.sent)
        except (OSError, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            return _broken(request, error, sent=journey.sent)

    async def _travel(self, request: WebRequest, journey: _Journey) -> WebAnswer | Fault:
        for left in range(request.max_redirects, -1, -1):
            answer = await self._once(request, journey)
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or not location or not request.max_redirects:
                return answer
            if left:
                request = self._onward(request, answer.status, location)
        what = f"more than {request.max_redirects} redirects in turn"
        return _fault(FaultKind.TOOL_ERROR, request, what)

    def _onward(self, request: WebRequest, status: int, location: str) -> WebRequest:
        """The next request of a redirect (RFC 9110 §15.4)."""
        url = redirected(
            request.url, location, allowance=self._allowance, allow_http=request.allow_http
        )
        headers = dict(request.headers)
        if url.origin != request.url.origin:
            headers = {name: value for name, value in headers.items() if name in _KEPT_ACROSS}
        becomes_get = (status in {301, 302} and request.method == "POST") or (
            status == 303 and request.method not in {"GET", "HEAD"}
        )
        if not becomes_get:
            return replace(request, url=url, headers=headers)
        headers = {name: value for name, value in headers.items() if name not in _OF_CONTENT}
        return replace(request, url=url, headers=headers, method="GET", content=None)

    async def _once(self, request: WebRequest, journey: _Journey) -> WebAnswer:
        url = request.url
        with anyio.fail_after(CONNECT_WITHIN):
            addresses = await network.checked_addresses(
                url, allowance=self._allowance, resolve=self._resolve
            )
        connection = httpcore2.AsyncHTTPConnection(
            httpcore2.Origin(url.scheme.encode(), url.host.encode(), url.port),
            ssl_context=self._context(url),
            network_backend=network.PinnedBackend(addresses, self._dial),
        )
        try:
            return await self._exchange(connection, request, journey)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await connection.aclose()

    def _context(self, url: WebUrl) -> ssl.SSLContext | None:
        if url.scheme == "https" and self._tls is None:
            self._tls = httpcore2.default_ssl_context()
        return self._tls

    async def _exchange(
        self, connection: httpcore2.AsyncHTTPConnection, request: WebRequest, journey: _Journey
    ) -> WebAnswer:
        async def trace(event: str, info: object) -> None:
            del info
            journey.sent |= event == "http11.send_request_headers.started"

        sending = httpcore2.Request(
            request.method,
            _core_url(request.url),
            headers=_wire_headers(request),
            content=request.content or b"",
            extensions={"timeout": {"connect": CONNECT_WITHIN}, "trace": trace},
        )
        response = await connection.handle_async_request(sending)
        try:
            headers = _read_headers(response.headers)
            body = await _body_of(response, headers, request)
        finally:
            await response.aclose()
        return WebAnswer(
            url=request.url,
            status=response.status,
            reason=_reason(response.status),
            headers=headers,
            body=body,
        )


async def _body_of(
    response: httpcore2.Response, headers: Mapping[str, str], request: WebRequest
) -> bytes:
    is_passed_by = response.status in REDIRECTS and request.max_redirects > 0
    if request.method == "HEAD" or (is_passed_by and "location" in headers):
        return b""
    return await read_body(response.aiter_stream(), headers, most=request.max_bytes)


def _core_url(url: WebUrl) -> httpcore2.URL:
    return httpcore2.URL(
        scheme=url.scheme.encode(),
        host=url.host.encode(),
        port=url.port,
        target=url.target.encode(),
    )


def _wire_headers(request: WebRequest) -> list[tuple[bytes, bytes]]:
    headers = {
        "host": request.url.authority,
        "user-agent": f"ordinaut/{__version__}",
        "accept": "*/*",
        **request.headers,
        "accept-encoding": ENCODING,
        "connection": "close",
    }
    if request.content is not None:
        headers["content-length"] = str(len(request.content))
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _read_headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case; what comes twice is joined as RFC 9110 §5.3 says, cookies by lines."""
    if sum(len(name) + len(value) for name, value in pairs) > LARGEST_HEADERS:
        raise BodyTooLarge
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        between = "\n" if name == "set-cookie" else ", "
        headers[name] = f"{headers[name]}{between}{value}" if name in headers else value
    return headers


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _fault(kind: FaultKind, request: WebRequest, what: str, *, hint: str | None = None) -> Fault:
    message = f"{request.method} {request.url.shown}: {what}"
    return Fault(kind=kind, message=message, hint=hint, sent=True)


def _too_large(request: WebRequest) -> Fault:
    what = f"its answer is larger than {request.max_bytes} bytes"
    hint = "Ask for less: a page, a range, a field; or give a larger max_bytes (at most 1 MiB)."
    return _fault(FaultKind.OUTPUT_TOO_LARGE, request, what, hint=hint)


def _timed_out(request: WebRequest, within: timedelta, *, sent: bool) -> Fault:
    what = (
        f"no whole answer within {within.total_seconds():g} s"
        if sent
        else "the server could not be reached in time"
    )
    return replace(_fault(FaultKind.TIMEOUT, request, what), sent=sent)


def _broken(request: WebRequest, error: Exception, *, sent: bool) -> Fault:
    told = str(error)[:200] or type(error).__name__
    if sent:
        return _fault(FaultKind.CONNECTION_LOST, request, f"the connection was lost: {told}")
    what = f"the server cannot be reached: {told}"
    return replace(_fault(FaultKind.NOT_REACHABLE, request, what), sent=False)
