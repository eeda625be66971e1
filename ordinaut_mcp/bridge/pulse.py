"""Wakes everyone who waits, as often as it is rung."""

from __future__ import annotations

import anyio


class Pulse:
    """An event that can happen again: whoever waits looks anew at what it waits for."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = anyio.Event()

    async def wait(self) -> None:
        """Until the next ring; check what you wait for before, with no await between."""
        await self._event.wait()
