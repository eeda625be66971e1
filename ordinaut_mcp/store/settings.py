"""What holds for the whole runtime, in PostgreSQL: whether it is paused."""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString

from ordinaut_mcp.ports import Pause
from ordinaut_mcp.store.pool import Pool, connected, row, transaction

# Claims and schedulers look whether this row is there. Its events stay in order in one shard.
PAUSE: Final[LiteralString] = """
    WITH begun AS (
        INSERT INTO ordinaut.setting (name, value, changed_by)
        VALUES ('paused', jsonb_build_object('note', %(note)s::text, 'since', ordinaut.now()),
                %(by)s)
        ON CONFLICT (name) DO NOTHING
        RETURNING value, changed_by
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, data)
        SELECT 0, changed_by, 'runtime.paused', value || jsonb_build_object('by', changed_by)
        FROM begun
    )
    SELECT changed_by FROM begun
"""
NOTE: Final[LiteralString] = """
    UPDATE ordinaut.setting
    SET value = value || jsonb_build_object('note', %(note)s::text), changed_by = %(by)s,
        changed_at = ordinaut.now()
    WHERE name = 'paused' AND value ->> 'note' IS DISTINCT FROM %(note)s
"""
RESUME: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM ordinaut.setting WHERE name = 'paused' RETURNING value
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, data)
        SELECT 0, %(by)s, 'runtime.resumed', value || jsonb_build_object('by', %(by)s::text)
        FROM gone
    )
    SELECT value FROM gone
"""
PAUSED: Final[LiteralString] = """
    SELECT value, changed_by FROM ordinaut.setting WHERE name = 'paused'
"""


class PostgresSettings:
    """The `SettingStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def pause(self, by: str, *, note: str | None) -> bool:
        """Let nothing start any more; False: it was paused already, only a note may be new."""
        parameters = {"by": by, "note": note}
        async with transaction(self._pool) as connection:
            begun = await row(connection, PAUSE, parameters) is not None
            if not begun and note is not None:
                await connection.execute(NOTE, parameters)
        return begun

    async def resume(self, by: str) -> bool:
        """Let things start again; False: it was not paused."""
        async with connected(self._pool) as connection:
            return await row(connection, RESUME, {"by": by}) is not None

    async def paused(self) -> Pause | None:
        """The pause that holds now."""
        async with connected(self._pool) as connection:
            found = await row(connection, PAUSED)
        if found is None:
            return None
        since = datetime.fromisoformat(found["value"]["since"])
        return Pause(by=found["changed_by"], since=since, note=found["value"]["note"])
