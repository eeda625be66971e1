"""What the doorbell between processes can ring for."""

from __future__ import annotations

from typing import Final, Protocol

SLOTS: Final = "slots"
"""A task was made or changed: the scheduler's next instant may be another."""
WORK: Final = "work"
"""A run was queued: workers may claim."""


class Bell(Protocol):
    """Wakes the runtime; a ring that is lost costs one poll, nothing more."""

    async def ring(self, bell: str) -> None:
        """Ring after the commit, never inside the transaction."""
        ...
