"""Runs that a worker has claimed a little ahead of its slots.

Where attempts are short, asking the database for each next run would cost more than the run. Where
they are long nothing is claimed ahead: another worker may have a slot for it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from ordinaut_mcp.domain.run import Lease
from ordinaut_mcp.runtime.executor import Attempt
from ordinaut_mcp.runtime.leases import Held

SHORT = 0.25
"""Seconds that attempts may take on average for runs to be claimed ahead."""
PATIENCE = timedelta(seconds=1)
"""So long a run may wait here before it is given back to the others."""
WEIGHT = 0.2
"""Of the newest attempt in the average."""


@dataclass(slots=True)
class Backlog:
    """As many runs as there are slots may wait here, while attempts are short."""

    slots: int
    _waiting: deque[tuple[Attempt, Held, float]] = field(
        default_factory=deque[tuple[Attempt, Held, float]]
    )
    _pace: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many more may be claimed ahead now."""
        is_short = self._pace is not None and self._pace < SHORT
        return max(0, self.slots - len(self._waiting)) if is_short else 0

    def put(self, attempt: Attempt, held: Held) -> None:
        """Let a run wait for a slot."""
        self._waiting.append((attempt, held, time.monotonic()))

    def lost(self) -> list[Lease]:
        """The leases that ended while their runs waited here; their runs are taken out."""
        ended = [held.lease for _, held, _ in self._waiting if not held.is_held()]
        if ended:
            self._waiting = deque(one for one in self._waiting if one[1].is_held())
        return ended

    def take(self) -> tuple[Attempt, Held] | None:
        """The run that waits longest, while its lease is held."""
        while self._waiting:
            attempt, held, _ = self._waiting.popleft()
            if held.is_held():
                return attempt, held
        return None

    def impatient(self, *, after: float = PATIENCE.total_seconds()) -> list[tuple[Attempt, Held]]:
        """Those that have waited too long, taken out."""
        since = time.monotonic() - after
        found: list[tuple[Attempt, Held]] = []
        while self._waiting and self._waiting[0][2] <= since:
            attempt, held, _ = self._waiting.popleft()
            found.append((attempt, held))
        return found

    def took(self, seconds: float) -> None:
        """An attempt has taken so long."""
        before = seconds if self._pace is None else self._pace
        self._pace = before + WEIGHT * (seconds - before)
