"""The hot tables are vacuumed early, leave room for updates, and no heartbeat touches an index."""

from __future__ import annotations

import pytest

from ordinaut_mcp.store.pool import Pool
from tests.integration.store.stored import look

pytestmark = pytest.mark.anyio

SETTINGS = """
    SELECT o.option_name, o.option_value
    FROM pg_class c CROSS JOIN LATERAL pg_options_to_table(c.reloptions) AS o
    WHERE c.oid = ('ordinaut.' || %(name)s)::regclass
"""
HEARTBEATS = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE pg_get_indexdef(indexrelid) ~ 'lease_until|heartbeat_at'
"""
OPEN_FOR_UPDATES = """
    SELECT c.relname FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhparent = 'ordinaut.run'::regclass AND c.relname <> 'run_default'
      AND NOT 'fillfactor=80' = ANY (coalesce(c.reloptions, '{}'))
"""


@pytest.mark.parametrize(
    ("table", "settings"),
    [
        (
            "due_work",
            {
                "fillfactor": "50",
                "autovacuum_vacuum_scale_factor": "0.01",
                "autovacuum_vacuum_threshold": "1000",
            },
        ),
        (
            "permit",
            {
                "fillfactor": "50",
                "autovacuum_vacuum_scale_factor": "0.01",
                "autovacuum_vacuum_threshold": "1000",
            },
        ),
        ("task", {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.01"}),
    ],
)
async def test_a_hot_table_has_its_settings(
    pool: Pool, table: str, settings: dict[str, str]
) -> None:
    found = dict(await look(pool, SETTINGS, name=table))
    assert {name: found.get(name) for name in settings} == settings


async def test_no_index_holds_what_heartbeats_write(pool: Pool) -> None:
    assert await look(pool, HEARTBEATS) == []


async def test_every_month_of_runs_leaves_room_for_their_endings(pool: Pool) -> None:
    assert await look(pool, OPEN_FOR_UPDATES) == []
