"""The janitor: makes the partitions to come, and removes what retention has ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.ports import RetentionStore
from ordinaut_mcp.runtime.duty import Duty

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)


class Janitor:
    """Sweeps once in a while. Any number of them may do so on one database."""

    def __init__(
        self, store: RetentionStore, *, keep_runs: timedelta, keep_events: timedelta
    ) -> None:
        self._store = store
        self._keep_runs = keep_runs
        self._keep_events = keep_events
        self._silent: frozenset[ProcessId] = frozenset()

    async def sweep(self) -> None:
        """Do all of it once, and say once what went.

        Raises:
            Unavailable: the database is away; what was done until then is done.
        """
        await self._store.keep_partitions()
        runs = await self._store.sweep_runs(self._keep_runs)
        events = await self._store.sweep_events(self._keep_events)
        slots = await self._store.sweep_slots(self._keep_runs)
        gone, self._silent = await self._store.sweep_processes(self._silent)
        permits = await self._store.sweep_permits()
        _warn("stay, as nobody has published them (is a relay running?)", events.unpublished)
        _warn("were dropped, though nobody has published them", events.given_up)
        removed = {
            "partitions": [*runs.partitions, *events.partitions],
            "rows": runs.rows + events.rows,
            "slots": slots,
            "processes": gone,
            "permits": permits,
        }
        if any(removed.values()):
            log.info("removed what retention has ended", extra=removed)


def janitor(store: RetentionStore, *, keep_runs: timedelta, keep_events: timedelta) -> Duty:
    """The duty of sweeping, at once and then each hour."""
    sweeper = Janitor(store, keep_runs=keep_runs, keep_events=keep_events)
    return Duty("janitor", sweeper.sweep, every=EVERY)


def _warn(what: str, partitions: Sequence[str]) -> None:
    if partitions:
        log.warning("events past their retention %s: %s", what, ", ".join(partitions))
