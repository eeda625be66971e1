"""Hears the doorbell that other processes ring, and rings the one inside."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import anyio

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.clockwork import Ring

log = logging.getLogger(__name__)

AFTER_TROUBLE = timedelta(seconds=1)

Listening = Callable[[], AbstractAsyncContextManager[AsyncGenerator[str, None]]]


class Listener:
    """Listens until cancelled; while the connection is away, polling does its work."""

    def __init__(self, listening: Listening, rings: Mapping[str, Ring]) -> None:
        self._listening = listening
        self._rings = rings

    async def run(self) -> None:
        """Listen, and listen again when the connection was lost."""
        while True:
            try:
                async with self._listening() as bells:
                    self._ring_all()  # something may have rung while nobody listened
                    async for bell in bells:
                        if ring := self._rings.get(bell):
                            ring()
            except Unavailable:
                log.warning("the doorbell's connection was lost; polling goes on")
            await anyio.sleep(AFTER_TROUBLE.total_seconds())

    def _ring_all(self) -> None:
        for ring in self._rings.values():
            ring()
