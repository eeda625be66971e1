"""The limit: claim and complete with SKIP LOCKED in batches of 500, and nothing else."""

from __future__ import annotations

from typing import Final, LiteralString

import psycopg
from peers.child import Begun

PACKAGES: Final = ("psycopg",)
BATCH: Final = 500
LEFT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM work)"
SHAPE: Final[LiteralString] = """
    CREATE TABLE work (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        state text NOT NULL DEFAULT 'queued',
        run_at timestamptz NOT NULL DEFAULT now(),
        payload jsonb NOT NULL DEFAULT '{}'
    ) WITH (fillfactor = 50);
    CREATE INDEX work_due ON work (run_at, id) WHERE state = 'queued';
"""
ADD: Final[LiteralString] = "INSERT INTO work (state) SELECT 'queued' FROM generate_series(1, %s)"
CLAIM: Final[LiteralString] = """
    UPDATE work w SET state = 'running'
    FROM (SELECT id FROM work WHERE state = 'queued' AND run_at <= now()
          ORDER BY run_at, id LIMIT %s FOR UPDATE SKIP LOCKED) AS due
    WHERE w.id = due.id
    RETURNING w.id
"""
COMPLETE: Final[LiteralString] = "DELETE FROM work WHERE id = ANY(%s)"


def install(url: str) -> None:
    """Make the table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SHAPE)


def add(url: str, runs: int) -> None:
    """Add that many rows in one statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ADD, (runs,))


def work(url: str, begun: Begun, option: str) -> None:
    """Claim a batch, complete it, until there is nothing; each is a transaction of its own."""
    batch = int(option or BATCH)
    with psycopg.connect(url, autocommit=True) as connection:
        begun()
        while claimed := connection.execute(CLAIM, (batch,)).fetchall():
            connection.execute(COMPLETE, ([found[0] for found in claimed],))
