"""Published events in PostgreSQL: each with its row in the outbox, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.event import Event, EventDraft, EventId, pattern_regex, shard_of
from ordinaut_mcp.domain.run import RunId, run_name
from ordinaut_mcp.ports import EventFilter
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction
from ordinaut_mcp.store.stored_json import readable
from ordinaut_mcp.store.tasks import KNOW_AGENT

SIZE_SHOWN: Final = 512 * 1024

# One publisher of an owner at a time, from before it takes a number until it has committed: who
# reads on from an event misses none that commits later under a smaller number. The lock is
# weaker than that of foreign keys, which do not wait for it.
IN_TURN: Final[LiteralString] = """
    SELECT name FROM ordinaut.agent WHERE name = %(owner)s FOR NO KEY UPDATE
"""
PUBLISHED_BEFORE: Final[LiteralString] = """
    SELECT id, owner, topic, run_id, key, data::text AS data, digest, created_at
    FROM ordinaut.event
    WHERE owner = %(owner)s AND run_id IS NOT DISTINCT FROM %(run_id)s AND key = %(key)s
"""
PUBLISH: Final[LiteralString] = """
    WITH made AS (
        INSERT INTO ordinaut.event (owner, run_id, topic, key, data, size, digest)
        VALUES (%(owner)s, %(run_id)s, %(topic)s, %(key)s, %(data)s, %(size)s, %(digest)s)
        RETURNING *
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, data)
        SELECT %(shard)s::smallint, owner, topic,
               jsonb_build_object('event', 'event_' || id, 'data', data, 'run', %(run)s::text)
        FROM made
    )
    SELECT id, owner, topic, run_id, key, data::text AS data, digest, created_at FROM made
"""
NEWEST: Final[LiteralString] = """
    WITH newest AS (
        SELECT id, size FROM ordinaut.event
        WHERE owner = %(owner)s AND topic ~ %(regex)s
        ORDER BY id DESC
        LIMIT %(limit)s
    ), shown AS (
        SELECT id, sum(size) OVER (ORDER BY id DESC) - size AS before FROM newest
    )
    SELECT e.id, e.owner, e.topic, e.run_id, e.key, e.data::text AS data, e.digest, e.created_at
    FROM shown JOIN ordinaut.event e ON e.id = shown.id
    WHERE shown.before < %(most)s
    ORDER BY e.id
"""
AFTER: Final[LiteralString] = """
    WITH following AS (
        SELECT id, size FROM ordinaut.event
        WHERE owner = %(owner)s AND topic ~ %(regex)s AND id > %(after)s
        ORDER BY id
        LIMIT %(limit)s + 1
    ), numbered AS (
        SELECT id, row_number() OVER place AS number, count(*) OVER () AS found,
               sum(size) OVER place - size AS before
        FROM following
        WINDOW place AS (ORDER BY id)
    )
    SELECT e.id, e.owner, e.topic, e.run_id, e.key, e.data::text AS data, e.digest, e.created_at,
           numbered.found
    FROM numbered JOIN ordinaut.event e ON e.id = numbered.id
    WHERE numbered.number <= %(limit)s AND numbered.before < %(most)s
    ORDER BY e.id
"""


class PostgresEvents:
    """The `EventStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def publish(self, draft: EventDraft) -> tuple[Event, bool]:
        """Store one event, and tell it in the outbox; whether it was made now."""
        async with transaction(self._pool) as connection:
            await connection.execute(KNOW_AGENT, {"owner": draft.owner})
            await connection.execute(IN_TURN, {"owner": draft.owner})
            if before := await _published_before(connection, draft):
                return before, False
            [made] = await rows(connection, PUBLISH, _columns(draft))
            return _event(made), True

    async def list(self, owner: str, wanted: EventFilter) -> tuple[Sequence[Event], bool]:
        """Events in the order of their publication; whether there is more after them."""
        parameters = {
            "owner": owner,
            "regex": pattern_regex(wanted.pattern or "**"),
            "after": wanted.after,
            "limit": wanted.limit,
            "most": SIZE_SHOWN,
        }
        statement = NEWEST if wanted.after is None else AFTER
        async with connected(self._pool) as connection:
            found = await rows(connection, statement, parameters)
        is_more = bool(found) and found[0].get("found", 0) > len(found)
        return [_event(one) for one in found], is_more


async def _published_before(connection: Connection, draft: EventDraft) -> Event | None:
    if draft.key is None:
        return None
    parameters = {"owner": draft.owner, "run_id": draft.run_id, "key": draft.key}
    found = await row(connection, PUBLISHED_BEFORE, parameters)
    return _event(found) if found else None


def _columns(draft: EventDraft) -> dict[str, Any]:
    return {
        "owner": draft.owner,
        "run_id": draft.run_id,
        "run": run_name(draft.run_id) if draft.run_id else None,
        "topic": draft.topic,
        "key": draft.key,
        "data": Jsonb(dict(draft.data)),
        "size": draft.size,
        "digest": draft.digest,
        "shard": shard_of(f"{draft.owner} {draft.topic}"),
    }


def _event(found: DictRow) -> Event:
    return Event(
        id=EventId(found["id"]),
        owner=found["owner"],
        topic=found["topic"],
        run_id=None if found["run_id"] is None else RunId(found["run_id"]),
        key=found["key"],
        data=readable(found["data"]),
        digest=found["digest"],
        created_at=found["created_at"],
    )
