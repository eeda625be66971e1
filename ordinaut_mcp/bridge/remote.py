"""The streamable HTTP transport: the SDK's own, behind bounds on what a server may answer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import httpx2
from mcp.client.streamable_http import streamable_http_client

from ordinaut_mcp.bridge.lines import LONGEST_LINE
from ordinaut_mcp.bridge.refusal import instead_of, no_token
from ordinaut_mcp.bridge.server_config import Remote
from ordinaut_mcp.bridge.tokens import NoToken, Tokens

IDEMPOTENCY_META: Final = "ordinaut/idempotency-key"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

_TIMES: Final = httpx2.Timeout(30.0, connect=5.0, read=None)
"""Seconds; how long an answer may take is the call's own time-out."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends the idempotency key as a header too, and takes no body above `LONGEST_LINE`.

    With `tokens`, each request carries one; a request that is refused with 401 was not carried
    out, and is sent once more with a new token.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, tokens: Tokens | None = None) -> None:
        self._inner = inner
        self._tokens = tokens

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        key = _idempotency_key(request.content)
        if key:
            request.headers[IDEMPOTENCY_HEADER] = key
        try:
            response = await self._sent(request)
        except NoToken as error:
            return no_token(request, str(error))
        if refusal := instead_of(response, request):
            await response.aclose()
            return refusal
        is_stream = "text/event-stream" in response.headers.get("content-type", "")
        if "content-encoding" in response.headers:  # what it would grow to cannot be counted here
            response.stream = _BoundedBody(response.stream, longest=0)
        elif not is_stream:
            response.stream = _BoundedBody(response.stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        if self._tokens is None:
            return await self._inner.handle_async_request(request)
        token = await self._tokens.current()
        request.headers["Authorization"] = f"Bearer {token}"
        response = await self._inner.handle_async_request(request)
        if response.status_code != 401:
            return response
        await response.aclose()
        token = await self._tokens.current(refused=token)
        request.headers["Authorization"] = f"Bearer {token}"
        return await self._inner.handle_async_request(request)


class _BoundedBody(httpx2.AsyncByteStream):
    """A body that ends with an error once it is too long: only its own call fails."""

    def __init__(self, inner: Any, longest: int = LONGEST_LINE) -> None:
        self._inner = inner
        self._longest = longest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._longest:
                raise httpx2.StreamError("message_too_large: the answer is too long, or compressed")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def remote(how: Remote) -> AsyncGenerator[Any]:
    """Streams to a server that speaks streamable HTTP; proxies of the environment are not used."""
    headers = {"accept-encoding": "identity", **how.headers}
    wire = httpx2.AsyncHTTPTransport()
    tokens = Tokens(how.auth, how.url, wire) if how.auth else None
    async with (
        httpx2.AsyncClient(
            headers=headers,
            timeout=_TIMES,
            transport=BoundedTransport(wire, tokens),
            trust_env=False,
        ) as client,
        _streams(how.url, client) as streams,
    ):
        yield streams


def _streams(url: str, client: httpx2.AsyncClient) -> AbstractAsyncContextManager[Any]:
    return streamable_http_client(url, http_client=client, max_sse_event_size=LONGEST_LINE)


def _idempotency_key(body: bytes) -> str | None:
    if IDEMPOTENCY_META.encode() not in body:
        return None
    match json.loads(body):
        case {"params": {"_meta": {"ordinaut/idempotency-key": str(key)}}}:
            return key
        case _:
            return None
