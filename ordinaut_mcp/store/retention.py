"""Retention in PostgreSQL: whole partitions where possible, else rows in small batches.

Every statement may run twice, and beside the same statement of another janitor. Each is a short
transaction of its own; what could not be had at once is left for the next time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import Swept
from ordinaut_mcp.store.partitions import (
    BUSY,
    Partition,
    drop,
    gaps,
    held,
    partitions,
    past,
    wait_shortly,
)
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows
from ordinaut_mcp.store.processes import KEEP_PARTITIONS

log = logging.getLogger(__name__)

NOW: Final[LiteralString] = "SELECT ordinaut.now() AS now"

# A run that is sent again locks its row before it is due work again: asked under the lock, this
# cannot be overtaken.
UNFINISHED: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM ordinaut.due_work
                   WHERE run_created_at >= %(low)s AND run_created_at < %(high)s) AS held
"""
# A journal outlives its runs and never the other way round: without it a run that is sent again
# would call succeeded steps once more.
WITH_RUNS: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM ordinaut.due_work
                   WHERE run_created_at >= %(low)s AND run_created_at < %(high)s)
           OR EXISTS (SELECT FROM ordinaut.run
                      WHERE created_at >= %(low)s AND created_at < %(high)s) AS held
"""
UNPUBLISHED: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM ordinaut.outbox
                   WHERE created_at >= %(low)s AND created_at < %(high)s AND batch IS NULL) AS held
"""
# What lies in a default partition has no partition to go with. Looking at the state again after
# the lock keeps out a run that was sent again in between.
OLD_RUNS: Final[LiteralString] = """
    WITH old AS (
        SELECT r.id, r.created_at FROM ordinaut.run_default r
        WHERE r.created_at < %(until)s AND r.state <> 'queued'
          AND NOT EXISTS (SELECT FROM ordinaut.due_work d WHERE d.run_id = r.id)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM ordinaut.run_default r USING old
    WHERE r.id = old.id AND r.created_at = old.created_at
"""
OLD_STEPS: Final[LiteralString] = """
    WITH old AS (
        SELECT s.run_id, s.path, s.run_created_at FROM ordinaut.step_default s
        WHERE s.run_created_at < %(until)s
          AND NOT EXISTS (SELECT FROM ordinaut.run r
                          WHERE r.id = s.run_id AND r.created_at = s.run_created_at)
          AND NOT EXISTS (SELECT FROM ordinaut.due_work d WHERE d.run_id = s.run_id)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM ordinaut.step_default s USING old
    WHERE s.run_id = old.run_id AND s.path = old.path AND s.run_created_at = old.run_created_at
"""
OLD_EVENTS: Final[LiteralString] = """
    WITH old AS (
        SELECT o.id, o.created_at FROM ordinaut.outbox_default o
        WHERE o.created_at < %(until)s AND (o.batch IS NOT NULL OR o.created_at < %(anyway)s)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM ordinaut.outbox_default o USING old
    WHERE o.id = old.id AND o.created_at = old.created_at
"""
# A slot may be named again by its schedule only from `next_run_at` on, or from now on after an
# edit: one that is not past both stays, whatever became of its run.
OLD_SLOTS: Final[LiteralString] = """
    WITH old AS (
        SELECT s.task_id, s.key
        FROM ordinaut.slot s JOIN ordinaut.task t ON t.id = s.task_id
        WHERE s.created_at >= %(low)s AND s.created_at < %(high)s
          AND CASE WHEN s.key LIKE 'at:%%'
                   THEN substr(s.key, 4)::timestamptz < least(t.next_run_at, %(until)s)
                   ELSE true END
          AND NOT EXISTS (SELECT FROM ordinaut.run r WHERE r.id = s.run_id)
          AND NOT EXISTS (SELECT FROM ordinaut.due_work d WHERE d.run_id = s.run_id)
        LIMIT %(limit)s
        FOR UPDATE OF s SKIP LOCKED
    )
    DELETE FROM ordinaut.slot s USING old WHERE s.task_id = old.task_id AND s.key = old.key
"""
SILENT: Final[LiteralString] = """
    SELECT p.id FROM ordinaut.process p
    WHERE greatest(p.heartbeat_at, p.stopped_at) < ordinaut.now() - interval '7 days'
      AND NOT EXISTS (SELECT FROM ordinaut.due_work d
                      WHERE d.process_id = p.id AND d.state = 'running')
    LIMIT %(limit)s
"""
FORGET: Final[LiteralString] = """
    DELETE FROM ordinaut.process p
    WHERE p.id = ANY (%(ids)s)
      AND greatest(p.heartbeat_at, p.stopped_at) < ordinaut.now() - interval '7 days'
"""
# Free for ten minutes, and nobody unfinished under the key, whatever its state.
COLD_PERMITS: Final[LiteralString] = """
    SELECT p.owner, p.key, p.place FROM ordinaut.permit p
    WHERE p.run_id IS NULL AND p.freed_at < ordinaut.now() - interval '10 minutes'
      AND NOT EXISTS (SELECT FROM ordinaut.due_work d
                      WHERE d.owner = p.owner AND d.concurrency_key = p.key)
    LIMIT %(limit)s
"""
# Whoever queues a run under a key holds its permits (FOR KEY SHARE) until the run is there, and
# a claim holds the one that it takes: both are skipped here, and wait for us from here on.
HOLD_COLD: Final[LiteralString] = """
    SELECT p.owner, p.key, p.place
    FROM unnest(%(owners)s::text[], %(keys)s::text[], %(places)s::smallint[])
        AS c (owner, key, place)
    JOIN ordinaut.permit p ON p.owner = c.owner AND p.key = c.key AND p.place = c.place
    WHERE p.run_id IS NULL AND p.freed_at < ordinaut.now() - interval '10 minutes'
    FOR UPDATE OF p SKIP LOCKED
"""
# With its own snapshot, behind the locks: runs that were queued since COLD_PERMITS need a permit
# still, or hold one, or gave one back just now; each of that is found by an index.
REMOVE_COLD: Final[LiteralString] = """
    DELETE FROM ordinaut.permit p
    USING unnest(%(owners)s::text[], %(keys)s::text[], %(places)s::smallint[])
        AS c (owner, key, place)
    WHERE p.owner = c.owner AND p.key = c.key AND p.place = c.place
      AND NOT EXISTS (SELECT FROM ordinaut.due_work d
                      WHERE d.owner = p.owner AND d.concurrency_key = p.key
                        AND d.state IN ('queued', 'retrying') AND d.needs_permit)
      AND NOT EXISTS (SELECT FROM ordinaut.permit o
                      WHERE o.owner = p.owner AND o.key = p.key
                        AND (o.run_id IS NOT NULL
                             OR o.freed_at >= ordinaut.now() - interval '10 minutes'))
"""

BATCH = 1000
MOST_BATCHES = 100
"""In one sweep of one table; the rest has an hour to be vacuumed before it goes on."""
ANYWAY = 4
"""Events that nobody publishes stay so many times as long: a disk must not fill for ever."""


class PostgresRetention:
    """The `RetentionStore` port over PostgreSQL."""

    def __init__(self, pool: Pool, *, batch: int = BATCH) -> None:
        self._pool = pool
        self._batch = batch

    async def keep_partitions(self) -> None:
        """Make sure that the time to come has its partitions."""
        async with connected(self._pool) as connection:
            try:
                async with connection.transaction():
                    await wait_shortly(connection)
                    await connection.execute(KEEP_PARTITIONS)
            except BUSY:
                log.info("a table is in use: its coming partitions are made next time")

    async def sweep_runs(self, keep: timedelta) -> Swept:
        """Remove runs and steps that were created longer ago, but for unfinished ones."""
        async with connected(self._pool) as connection:
            now = await _now(connection)
            runs = await self._drop(connection, "run", UNFINISHED, now - keep)
            rows_gone = await self._clear(connection, OLD_RUNS, until=now - keep)
            steps = await self._drop(connection, "step", WITH_RUNS, now - keep)
            rows_gone += await self._clear(connection, OLD_STEPS, until=now - keep)
        return Swept(partitions=(*runs, *steps), rows=rows_gone)

    async def sweep_events(self, keep: timedelta) -> Swept:
        """Remove events that were told longer ago; what nobody published stays four times so."""
        async with connected(self._pool) as connection:
            now = await _now(connection)
            anyway = now - ANYWAY * keep
            gone = await self._drop(connection, "outbox", UNPUBLISHED, now - keep)
            left = past(await partitions(connection, "outbox"), now=now, keep=keep)
            late = [one.name for one in left if await held(connection, UNPUBLISHED, one)]
            gone += await self._drop(connection, "outbox", None, anyway)
            rows_gone = await self._clear(connection, OLD_EVENTS, until=now - keep, anyway=anyway)
        return Swept(
            partitions=tuple(gone),
            rows=rows_gone,
            unpublished=tuple(name for name in late if name not in gone),
            given_up=tuple(name for name in late if name in gone),
        )

    async def sweep_slots(self, keep: timedelta) -> int:
        """Remove slots that were taken longer ago and whose run is gone; how many."""
        async with connected(self._pool) as connection:
            until = await _now(connection) - keep
            spans = gaps(await partitions(connection, "run"), until=until)
            return sum(
                [
                    await self._clear(connection, OLD_SLOTS, low=low, high=high, until=until)
                    for low, high in spans
                ]
            )

    async def sweep_processes(
        self, seen: Collection[ProcessId]
    ) -> tuple[int, frozenset[ProcessId]]:
        """Forget processes that are silent for over 7 days now and were so when seen before.

        How many went, and who is silent now. Asking twice lets a machine wake up first.
        """
        async with connected(self._pool) as connection:
            found = await rows(connection, SILENT, {"limit": self._batch})
            silent = frozenset(ProcessId(one["id"]) for one in found)
            gone = await connection.execute(FORGET, {"ids": list(silent & frozenset(seen))})
        return gone.rowcount, silent - frozenset(seen)

    async def sweep_permits(self) -> int:
        """Remove free permits of keys that nobody unfinished has; how many."""
        removed = 0
        async with connected(self._pool) as connection:
            for _ in range(MOST_BATCHES):
                cold = await rows(connection, COLD_PERMITS, {"limit": self._batch})
                async with connection.transaction():
                    mine = await rows(connection, HOLD_COLD, _places(cold))
                    gone = await connection.execute(REMOVE_COLD, _places(mine))
                removed += gone.rowcount
                if gone.rowcount < self._batch:
                    break
        return removed

    async def _drop(
        self,
        connection: Connection,
        parent: str,
        question: LiteralString | None,
        until: datetime,
    ) -> list[str]:
        """The names of those that went; the first one that is in use ends it for this time."""
        gone: list[str] = []
        for one in await partitions(connection, parent):
            if one.high > until or (question and await held(connection, question, one)):
                continue
            if (went := await _dropped(connection, one, question)) is None:
                break
            gone += [one.name] if went else []
        return gone

    async def _clear(
        self, connection: Connection, statement: LiteralString, **parameters: Any
    ) -> int:
        removed = 0
        for _ in range(MOST_BATCHES):
            gone = await connection.execute(statement, {**parameters, "limit": self._batch})
            removed += gone.rowcount
            if gone.rowcount < self._batch:
                break
        return removed


async def _dropped(
    connection: Connection, one: Partition, question: LiteralString | None
) -> bool | None:
    try:
        return await drop(connection, one, question)
    except BUSY:
        log.info("%s is in use: it is dropped next time", one.name)
        return None


async def _now(connection: Connection) -> datetime:
    found = await row(connection, NOW)
    if found is None:
        raise OrdinautError("The database does not know what time it is.")
    return found["now"]


def _places(found: Collection[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        "owners": [one["owner"] for one in found],
        "keys": [one["key"] for one in found],
        "places": [one["place"] for one in found],
    }
