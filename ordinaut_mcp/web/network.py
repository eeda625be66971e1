"""How connections are made: a name is resolved once, every answer is checked, and only what
passed is connected to (security.md U27)."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

import anyio
import httpcore2

from ordinaut_mcp.domain.address import Address, Allowance, parse_address
from ordinaut_mcp.domain.web_url import WebUrl, blocked

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, as texts; `OSError` when there are none."""
Dial = Callable[[str, int, float | None], Awaitable[httpcore2.AsyncNetworkStream]]
"""A connection to an address (never a name) and port, within so many seconds."""

MOST_TRIED = 4
"""Addresses of one name that are tried in turn."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


async def dial(address: str, port: int, timeout: float | None) -> httpcore2.AsyncNetworkStream:  # noqa: ASYNC109 — httpcore2's own word
    """Connect over TCP."""
    backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
    return await backend.connect_tcp(address, port, timeout=timeout)


async def checked_addresses(
    url: WebUrl, *, allowance: Allowance, resolve: Resolve
) -> Sequence[Address]:
    """Where the URL's host may be reached, in the resolver's order.

    One address that may not be reached refuses them all: whoever mixes them means harm.

    Raises:
        InvalidInput: blocked_address.
        OSError: the name has no address.
    """
    texts = [url.host] if url.address else await resolve(url.host, url.port)
    addresses: list[Address] = []
    for text in texts:
        address = parse_address(text)
        what = (
            allowance.refusal(address, host=url.host, port=url.port)
            if address
            else "no address that can be read"
        )
        if what or address is None:
            shown = url.host if url.address else f"{url.host} stands for {text[:60]}, which"
            raise blocked(f"{url.shown}", shown, what or "")
        addresses.append(address)
    if not addresses:
        raise OSError(f"{url.host} has no address")
    return addresses


class PinnedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the given addresses, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[Address], dial: Dial) -> None:
        self._addresses = addresses[:MOST_TRIED]
        self._dial = dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 — httpcore2's own word
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Try the addresses in turn; each gets its share of the time."""
        del host, local_address, socket_options
        each = timeout / len(self._addresses) if timeout else None
        *others, last = self._addresses
        for address in others:
            try:
                return await self._dial(str(address), port, each)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._dial(str(last), port, each)

    async def sleep(self, seconds: float) -> None:
        """Rest between tries."""
        await anyio.sleep(seconds)
