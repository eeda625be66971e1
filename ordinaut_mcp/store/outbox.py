"""The outbox in PostgreSQL: what is to be published, and who publishes a shard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.outbox import Hold, OutboxEvent
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.store.pool import Pool, connected, row, rows, transaction

DEPLOYMENT: Final[LiteralString] = """
    INSERT INTO ordinaut.setting (name, value, changed_by)
    VALUES ('deployment', to_jsonb(gen_random_uuid()), 'ordinaut')
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING value #>> '{}' AS id
"""
# What is ours stays ours, even when the lease has lapsed: the position is the fence.
KEEP: Final[LiteralString] = """
    UPDATE ordinaut.relay_shard
    SET process_id = %(process)s, lease_until = ordinaut.now() + %(lease_for)s::interval
    WHERE shard IN (
        SELECT shard FROM ordinaut.relay_shard
        WHERE process_id = %(process)s OR lease_until IS NULL OR lease_until <= ordinaut.now()
        ORDER BY shard
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING shard, position
"""
# Relays share without knowing of each other: who has fewer than the one with the most takes half
# of the difference over.
TAKE_OVER: Final[LiteralString] = """
    WITH share AS (
        SELECT process_id, count(*) AS size FROM ordinaut.relay_shard
        WHERE lease_until > ordinaut.now() GROUP BY process_id
    ), largest AS (
        SELECT process_id, (size - coalesce(
            (SELECT size FROM share WHERE process_id = %(process)s), 0)) / 2 AS too_many
        FROM share ORDER BY size DESC LIMIT 1
    )
    UPDATE ordinaut.relay_shard
    SET process_id = %(process)s, lease_until = ordinaut.now() + %(lease_for)s::interval
    WHERE shard IN (
        SELECT s.shard FROM ordinaut.relay_shard s JOIN largest USING (process_id)
        ORDER BY s.shard
        LIMIT (SELECT too_many FROM largest)
        FOR NO KEY UPDATE OF s SKIP LOCKED
    )
    RETURNING shard, position
"""
RELEASE: Final[LiteralString] = """
    UPDATE ordinaut.relay_shard SET process_id = NULL, lease_until = NULL
    WHERE process_id = %(process)s
"""
WAITING: Final[LiteralString] = """
    SELECT held.shard
    FROM unnest(%(shards)s::smallint[]) AS held (shard)
    CROSS JOIN LATERAL (
        SELECT FROM ordinaut.outbox o
        WHERE o.shard = held.shard AND o.batch IS NULL
        LIMIT 1
    ) AS unpublished
"""
BEGIN: Final[LiteralString] = """
    WITH lowest AS (
        SELECT id, topic, owner, task_id, run_id, sequence, created_at, data::text AS data
        FROM ordinaut.outbox
        WHERE shard = %(shard)s AND batch IS NULL
        ORDER BY id
        LIMIT %(limit)s
    ), measured AS (
        SELECT *, sum(octet_length(data)) OVER (ORDER BY id) AS bytes,
               row_number() OVER (ORDER BY id) AS place
        FROM lowest
    ), held AS (
        UPDATE ordinaut.relay_shard
        SET position = %(number)s, lease_until = ordinaut.now() + %(lease_for)s::interval
        WHERE shard = %(shard)s AND process_id = %(process)s AND position = %(position)s
          AND EXISTS (SELECT FROM measured)
        RETURNING shard
    )
    SELECT measured.* FROM held CROSS JOIN measured
    WHERE measured.place = 1 OR measured.bytes <= %(most_bytes)s
    ORDER BY measured.id
"""
MARK: Final[LiteralString] = """
    WITH held AS (
        UPDATE ordinaut.relay_shard
        SET position = position + 1, lease_until = ordinaut.now() + %(lease_for)s::interval
        WHERE shard = %(shard)s AND process_id = %(process)s AND position = %(position)s
        RETURNING shard
    ), marked AS (
        UPDATE ordinaut.outbox SET batch = %(position)s
        WHERE id = ANY (%(ids)s::bigint[])
          AND created_at BETWEEN %(first_at)s AND %(last_at)s
          AND EXISTS (SELECT FROM held)
    )
    SELECT shard FROM held
"""
# Along the ids, a page at a time, so that no transaction is long, however much there is.
REWIND: Final[LiteralString] = """
    WITH held AS (
        UPDATE ordinaut.relay_shard
        SET lease_until = ordinaut.now() + %(lease_for)s::interval
        WHERE shard = %(shard)s AND process_id = %(process)s AND position = %(position)s
        RETURNING shard
    ), page AS (
        SELECT id, created_at FROM ordinaut.outbox
        WHERE shard = %(shard)s AND batch > %(reached)s AND id > %(after)s
        ORDER BY id
        LIMIT %(limit)s
    ), undone AS (
        UPDATE ordinaut.outbox o SET batch = NULL FROM page
        WHERE o.id = page.id AND o.created_at = page.created_at AND EXISTS (SELECT FROM held)
    )
    SELECT (SELECT max(id) FROM page) AS last FROM held
"""
PAGE = 5000


class PostgresOutbox:
    """The `Outbox` port over PostgreSQL."""

    def __init__(self, pool: Pool, *, lease_for: timedelta, page: int = PAGE) -> None:
        self._pool = pool
        self._lease_for = lease_for
        self._page = page

    async def deployment(self) -> str:
        """The id of this deployment, made at the first question."""
        async with connected(self._pool) as connection:
            found = await row(connection, DEPLOYMENT)
        if found is None:
            raise OrdinautError("The deployment could not be named.")
        return str(found["id"])

    async def keep(self, process: ProcessId) -> Sequence[Hold]:
        """Renew what the process holds, take what is free, and a fair share of what is not."""
        parameters = {"process": process, "lease_for": self._lease_for}
        async with transaction(self._pool) as connection:
            held = await rows(connection, KEEP, parameters)
            held += await rows(connection, TAKE_OVER, parameters)
        return [
            Hold(process=process, shard=found["shard"], position=found["position"])
            for found in sorted(held, key=lambda found: int(found["shard"]))
        ]

    async def release(self, process: ProcessId) -> None:
        """Let others publish what the process holds."""
        async with connected(self._pool) as connection:
            await connection.execute(RELEASE, {"process": process})

    async def waiting(self, shards: Sequence[int]) -> Sequence[int]:
        """Those of the shards that have events to publish."""
        async with connected(self._pool) as connection:
            found = await rows(connection, WAITING, {"shards": list(shards)})
        return [waiting["shard"] for waiting in found]

    async def begin(
        self, hold: Hold, *, number: int, limit: int, most_bytes: int
    ) -> Sequence[OutboxEvent]:
        """The oldest events to publish, by id; the position is `number` from now on."""
        more = {"number": number, "limit": limit, "most_bytes": most_bytes}
        async with connected(self._pool) as connection:
            found = await rows(connection, BEGIN, {**self._of(hold), **more})
        return [_event(row) for row in found]

    async def mark(self, hold: Hold, events: Sequence[OutboxEvent]) -> bool:
        """Record that the batch with the position's number is published, and raise it by one."""
        instants = [event.at for event in events]
        more = {
            "ids": [event.id for event in events],
            "first_at": min(instants),
            "last_at": max(instants),
        }
        async with connected(self._pool) as connection:
            return await row(connection, MARK, {**self._of(hold), **more}) is not None

    async def rewind(self, hold: Hold, *, reached: int) -> bool:
        """Have all events published again that a stream with this number may not hold."""
        after: int | None = 0
        while after is not None:
            more = {"reached": reached, "after": after, "limit": self._page}
            async with connected(self._pool) as connection:
                found = await row(connection, REWIND, {**self._of(hold), **more})
            if found is None:
                return False
            after = found["last"]
        return True

    def _of(self, hold: Hold) -> dict[str, Any]:
        return {
            "shard": hold.shard,
            "process": hold.process,
            "position": hold.position,
            "lease_for": self._lease_for,
        }


def _event(found: DictRow) -> OutboxEvent:
    return OutboxEvent(
        id=found["id"],
        topic=found["topic"],
        owner=found["owner"],
        task_id=found["task_id"],
        run_id=found["run_id"],
        sequence=found["sequence"],
        at=found["created_at"],
        data=found["data"],
    )
