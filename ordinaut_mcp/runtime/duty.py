"""A duty: something that is done again and again, whenever its bell rings."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.doorbell import Doorbell

log = logging.getLogger(__name__)


class Duty:
    """Does its work at once, then at each ring; a database that is away is waited for."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], *, every: timedelta) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._doorbell = Doorbell()

    async def run(self, clockwork: Clockwork) -> None:
        """Work until cancelled."""
        clockwork.every(self._every, self._doorbell.ring, name=self._name)
        while True:
            try:
                await self._work()
            except Unavailable:
                log.warning("%s: the database did not answer", self._name)
            await self._doorbell.wait(self._every * 2)
