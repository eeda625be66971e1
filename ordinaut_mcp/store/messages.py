"""Inboxes in PostgreSQL: each message with its row in the outbox, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.event import shard_of
from ordinaut_mcp.domain.instant import utc_text
from ordinaut_mcp.domain.message import Draft, Message, MessageId, no_such_agent
from ordinaut_mcp.domain.run import RunId, run_name
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction
from ordinaut_mcp.store.stored_json import readable
from ordinaut_mcp.store.tasks import KNOW_AGENT, now

SIZE_SHOWN: Final = 512 * 1024

RECIPIENT: Final[LiteralString] = """
    SELECT name FROM ordinaut.agent WHERE name = %(to)s
"""
SENT_BEFORE: Final[LiteralString] = """
    SELECT id, owner, sender, run_id, key, text, data::text AS data, digest, created_at,
           deliver_at, read_at, acked_at
    FROM ordinaut.message
    WHERE sender = %(sender)s AND run_id IS NOT DISTINCT FROM %(run_id)s AND key = %(key)s
"""
# Two callers may use one key at the same moment: the second waits here for the first to
# commit, gets no row, and then finds the message.
POST: Final[LiteralString] = """
    WITH made AS (
        INSERT INTO ordinaut.message
            (owner, sender, run_id, key, text, data, size, digest, deliver_at)
        VALUES (%(to)s, %(sender)s, %(run_id)s, %(key)s, %(text)s, %(data)s, %(size)s,
                %(digest)s, %(deliver_at)s)
        ON CONFLICT (sender, run_id, key) WHERE key IS NOT NULL DO NOTHING
        RETURNING *
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, data)
        SELECT %(shard)s::smallint, owner, 'message.sent',
               jsonb_build_object('message', 'msg_' || id) || %(told)s::jsonb
        FROM made
    )
    SELECT id, owner, sender, run_id, key, text, data::text AS data, digest, created_at,
           deliver_at, read_at, acked_at
    FROM made
"""
# What another reader of the same inbox is marking just now is shown all the same.
READ: Final[LiteralString] = """
    WITH oldest AS (
        SELECT id, size FROM ordinaut.message
        WHERE owner = %(reader)s AND acked_at IS NULL AND deliver_at <= ordinaut.now()
        ORDER BY deliver_at, id
        LIMIT %(limit)s + 1
    ), numbered AS (
        SELECT o.id, row_number() OVER place AS number, count(*) OVER () AS found,
               sum(o.size) OVER place - o.size AS before
        FROM oldest o JOIN ordinaut.message m ON m.id = o.id
        WINDOW place AS (ORDER BY m.deliver_at, m.id)
    ), shown AS (
        SELECT * FROM numbered WHERE number <= %(limit)s AND before < %(most)s
    ), fresh AS (
        SELECT id FROM ordinaut.message
        WHERE id IN (SELECT id FROM shown) AND read_at IS NULL
        FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE ordinaut.message m SET read_at = ordinaut.now() FROM fresh WHERE m.id = fresh.id
    )
    SELECT m.id, m.owner, m.sender, m.run_id, m.key, m.text, m.data::text AS data, m.digest,
           m.created_at, m.deliver_at, m.read_at, m.acked_at, shown.found
    FROM shown JOIN ordinaut.message m ON m.id = shown.id
    ORDER BY m.deliver_at, m.id
"""
ACK: Final[LiteralString] = """
    WITH held AS (
        SELECT id FROM ordinaut.message
        WHERE id = ANY (%(ids)s) AND owner = %(reader)s AND deliver_at <= ordinaut.now()
        ORDER BY id
        FOR UPDATE
    )
    UPDATE ordinaut.message m SET acked_at = coalesce(m.acked_at, ordinaut.now())
    FROM held WHERE m.id = held.id
    RETURNING m.id, m.acked_at
"""


class PostgresMessages:
    """The `MessageStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def post(self, draft: Draft) -> tuple[Message, bool]:
        """Put one message into an inbox, and tell so in the outbox; whether it was made now."""
        async with transaction(self._pool) as connection:
            await connection.execute(KNOW_AGENT, {"owner": draft.sender})
            if before := await _sent_before(connection, draft):
                return before, False
            if await row(connection, RECIPIENT, {"to": draft.to}) is None:
                raise no_such_agent(draft.to, asked_by=draft.sender)
            made = await row(connection, POST, await _columns(connection, draft))
            if made is not None:
                return _message(made), True
            before = await _sent_before(connection, draft)
        if before is None:
            raise OrdinautError("The message could not be sent.", hint="Call again.")
        return before, False

    async def unacked(self, reader: str, *, limit: int) -> tuple[Sequence[Message], bool]:
        """What is delivered and not acked, the oldest first; whether there is more."""
        parameters = {"reader": reader, "limit": limit, "most": SIZE_SHOWN}
        async with connected(self._pool) as connection:
            found = await rows(connection, READ, parameters)
        return [_message(one) for one in found], bool(found) and found[0]["found"] > len(found)

    async def ack(self, reader: str, ids: Sequence[MessageId]) -> Mapping[MessageId, datetime]:
        """Mark messages as dealt with: those that are there, each with when it was acked first."""
        async with connected(self._pool) as connection:
            done = await rows(connection, ACK, {"reader": reader, "ids": list(ids)})
        return {MessageId(one["id"]): one["acked_at"] for one in done}

    async def open_inbox(self, reader: str) -> None:
        """Let the reader be known, so that others can write to it."""
        async with connected(self._pool) as connection:
            await connection.execute(KNOW_AGENT, {"owner": reader})


async def _sent_before(connection: Connection, draft: Draft) -> Message | None:
    if draft.key is None:
        return None
    parameters = {"sender": draft.sender, "run_id": draft.run_id, "key": draft.key}
    found = await row(connection, SENT_BEFORE, parameters)
    return _message(found) if found else None


async def _columns(connection: Connection, draft: Draft) -> dict[str, Any]:
    deliver_at = draft.when.instant(await now(connection), timezone=draft.timezone)
    told = {
        "from": draft.sender,
        "to": draft.to,
        "deliver_at": utc_text(deliver_at),
        "run": run_name(draft.run_id) if draft.run_id else None,
    }
    return {
        "to": draft.to,
        "sender": draft.sender,
        "run_id": draft.run_id,
        "key": draft.key,
        "text": draft.text,
        "data": None if draft.data is None else Jsonb(dict(draft.data)),
        "size": draft.size,
        "digest": draft.digest,
        "deliver_at": deliver_at,
        "shard": shard_of(draft.to),
        "told": Jsonb(told),
    }


def _message(found: DictRow) -> Message:
    return Message(
        id=MessageId(found["id"]),
        sender=found["sender"],
        to=found["owner"],
        run_id=None if found["run_id"] is None else RunId(found["run_id"]),
        key=found["key"],
        text=found["text"],
        data=readable(found["data"]),
        digest=found["digest"],
        created_at=found["created_at"],
        deliver_at=found["deliver_at"],
        read_at=found["read_at"],
        acked_at=found["acked_at"],
    )
