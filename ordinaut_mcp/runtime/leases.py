"""The leases that a process holds: seen by its event loop and by its heartbeat's thread."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock

from anyio import CancelScope

from ordinaut_mcp.domain.run import Lease, RunId


@dataclass(slots=True, eq=False)
class Held:
    """One lease as its holder sees it; `deadline` is on the monotonic clock."""

    lease: Lease
    deadline: float
    scope: CancelScope | None = None
    """The attempt's, once it has to wait for something; it ends with the lease."""
    cancelled: str | None = None

    def is_held(self) -> bool:
        """Whether the lease has not ended by our own clock: nothing with effects begins after."""
        return time.monotonic() < self.deadline

    def end(self) -> None:
        """End the attempt."""
        if self.scope is not None:
            self.scope.cancel()


@dataclass(slots=True)
class Leases:
    """All leases of one process. Only the event loop adds and removes."""

    _held: dict[Lease, Held] = field(default_factory=dict[Lease, Held])
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        return len(self._held)

    def take(self, lease: Lease, deadline: float) -> Held:
        """Hold a lease until `deadline`, or longer when it is extended."""
        held = Held(lease, deadline)
        with self._lock:
            self._held[lease] = held
        return held

    def drop(self, leases: Collection[Lease]) -> None:
        """Hold these no longer."""
        with self._lock:
            for lease in leases:
                self._held.pop(lease, None)

    def all(self) -> list[Held]:
        """Everything that is held now; from any thread."""
        with self._lock:
            return list(self._held.values())

    def of(self, run_id: RunId) -> list[Held]:
        """What is held of one run."""
        return [held for held in self._held.values() if held.lease.run_id == run_id]

    def extend(self, lost: Collection[Lease], asked: Collection[Lease], deadline: float) -> None:
        """What `asked` was extended for, `lost` apart; from any thread.

        The attempts' scopes follow in the event loop, by `heed`.
        """
        with self._lock:
            for lease in asked:
                held = self._held.get(lease)
                if held is not None:
                    held.deadline = 0.0 if lease in lost else deadline

    def heed(self) -> None:
        """Let the attempts' scopes end with their leases; in the event loop."""
        for held in self.all():
            if held.scope is None or held.scope.cancel_called:
                continue
            if held.deadline == 0.0:
                held.end()
            else:
                held.scope.deadline = held.deadline
