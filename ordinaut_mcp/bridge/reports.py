"""Tells the observer what changed, without making any tool server wait for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Protocol

import anyio

from ordinaut_mcp.bridge.pulse import Pulse
from ordinaut_mcp.domain.tool import ServerStatus, ToolSpec

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0

Report = tuple[ServerStatus, tuple[ToolSpec, ...]]


class Observer(Protocol):
    """Is told what the bridge learns about a server, so that it can be kept."""

    async def on_catalog(self, server: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """The server's state, and the tools that it offered last; told again if this raises."""
        ...


class Reports:
    """Delivers the newest report of each server, in the order in which they changed.

    Several changes while the observer is busy become one. What cannot be delivered is tried
    again until it is, or until something newer takes its place.
    """

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._waiting: dict[str, Report] = {}
        self._put = Pulse()

    def put(self, status: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """Have it told soon; never blocks."""
        self._waiting.pop(status.server, None)
        self._waiting[status.server] = (status, tuple(tools))
        self._put.ring()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while self._observer:
            while not self._waiting:
                await self._put.wait()
            await self._deliver(self._observer)

    async def _deliver(self, observer: Observer) -> None:
        server, report = next(iter(self._waiting.items()))
        try:
            await observer.on_catalog(*report)
        except Exception:
            log.exception("the catalog of %s could not be told: trying again", server)
            await anyio.sleep(RETRY_SECONDS)
        else:
            if self._waiting.get(server) is report:
                del self._waiting[server]
