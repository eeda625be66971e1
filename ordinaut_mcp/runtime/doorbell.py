"""A wake-up call that is never lost."""

from __future__ import annotations

from datetime import timedelta

import anyio


class Doorbell:
    """Wakes one waiting loop; a ring that comes before the wait is remembered."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wake the loop, now or at its next wait."""
        self._rung.set()

    async def wait(self, at_most: timedelta) -> None:
        """Return at the next ring, or after `at_most`, whichever comes first."""
        with anyio.move_on_after(at_most.total_seconds()):
            await self._rung.wait()
        self._rung = anyio.Event()
