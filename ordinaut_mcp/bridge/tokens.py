"""Tokens by OAuth client credentials: asked for when needed, shared by all calls, kept until stale.

The token endpoint is the one that the tools file names. The SDK's own provider finds it through
the tool server instead, so that the server would choose who is given our secret.
"""

from __future__ import annotations

import json
from time import monotonic
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

import anyio
import httpx2
from mcp.shared.auth import OAuthToken
from mcp.shared.auth_utils import resource_url_from_server_url
from pydantic import ValidationError

from ordinaut_mcp.bridge.server_config import ClientCredentials

EARLY_SECONDS: Final = 30.0
"""So long before its end, a token is no longer used; at most half of its life."""
ANSWER_WITHIN: Final = 20.0
LARGEST: Final = 64 * 1024
"""Bytes of a token endpoint's answer."""


class NoToken(Exception):
    """The token endpoint gave none; the text says why, for a person."""


class Tokens:
    """The access token for one tool server (RFC 6749, section 4.4; RFC 8707 for `resource`)."""

    def __init__(
        self, how: ClientCredentials, server_url: str, transport: httpx2.AsyncBaseTransport
    ) -> None:
        self._how = how
        self._resource = resource_url_from_server_url(server_url)
        self._transport = transport
        self._asking = anyio.Lock()
        self._token: str | None = None
        self._stale_at = 0.0

    async def current(self, *, refused: str | None = None) -> str:
        """A token that should be good, and is not the one that was refused. Raises: NoToken."""
        async with self._asking:
            token = self._token
            if token is None or token == refused or monotonic() >= self._stale_at:
                self._token = None
                self._token = token = await self._fresh()
            return token

    async def _fresh(self) -> str:
        asked = monotonic()
        try:
            with anyio.fail_after(ANSWER_WITHIN):
                token = await self._ask()
        except (OSError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise NoToken(self._says(str(error) or "no answer")) from error
        life = float("inf") if token.expires_in is None else float(token.expires_in)
        self._stale_at = asked + max(life - EARLY_SECONDS, life / 2)
        return token.access_token

    async def _ask(self) -> OAuthToken:
        how = self._how
        form = {"grant_type": "client_credentials", "resource": self._resource}
        if how.scope:
            form["scope"] = how.scope
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        request = httpx2.Request("POST", how.token_url, data=form, headers=headers)
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = (quote(how.client_id, safe=""), quote(how.client_secret, safe=""))
        auth = httpx2.BasicAuth(*pair)
        request = next(auth.sync_auth_flow(request))
        response = await self._transport.handle_async_request(request)
        try:
            body = await _bounded(response)
        finally:
            await response.aclose()
        return self._read(response.status_code, body)

    def _read(self, status: int, body: bytes) -> OAuthToken:
        try:
            if status == 200:
                return OAuthToken.model_validate_json(body)
        except ValidationError:
            raise NoToken(self._says("what it answered holds no Bearer token")) from None
        raise NoToken(self._says(f"{status} {_error_of(body)}".strip()))

    def _says(self, why: str) -> str:
        return f"the token endpoint at {urlsplit(self._how.token_url).hostname} gave none: {why}"


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in cast("httpx2.AsyncByteStream", response.stream):
        body += chunk
        if len(body) > LARGEST:
            raise httpx2.StreamError(f"it answered more than {LARGEST} bytes")
    return bytes(body)


def _error_of(body: bytes) -> str:
    """The code and the words of an error (RFC 6749, section 5.2), as far as they are there."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    match document:
        case {"error": str(code), "error_description": str(words)}:
            return f"{code[:100]}: {words[:300]}"
        case {"error": str(code)}:
            return code[:100]
        case _:
            return ""
