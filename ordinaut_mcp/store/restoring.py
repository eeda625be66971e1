"""What stands around a restore in PostgreSQL: is there room, and what held only before.

Leases, processes and numbers of the life before are made harmless: whoever still lives of it
holds no epoch, no process and no run's number that is given out again.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from ordinaut_mcp.errors import Conflict, OrdinautError
from ordinaut_mcp.store.pool import CONNECT_SECONDS, unavailable

SERVER: Final[LiteralString] = "SELECT current_setting('server_version_num')::int / 10000"
HAS_TABLE: Final[LiteralString] = "SELECT to_regclass('ordinaut.task') IS NOT NULL"
HAS_TASKS: Final[LiteralString] = "SELECT EXISTS (SELECT FROM ordinaut.task)"
COMPANY: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'ordinaut')
"""
HAS_SCHEMA: Final[LiteralString] = "SELECT to_regnamespace('ordinaut') IS NOT NULL"
HAS_FORMER: Final[LiteralString] = "SELECT to_regnamespace('ordinaut_before_restore') IS NOT NULL"

DROP_FORMER: Final = sql.SQL("DROP SCHEMA IF EXISTS ordinaut_before_restore CASCADE")
SET_ASIDE: Final = sql.SQL("ALTER SCHEMA ordinaut RENAME TO ordinaut_before_restore")
PUT_BACK: Final = sql.SQL("ALTER SCHEMA ordinaut_before_restore RENAME TO ordinaut")
MAKE: Final = sql.SQL("CREATE SCHEMA ordinaut")
DROP: Final = sql.SQL("DROP SCHEMA ordinaut CASCADE")

# Somebody of the life before may hold an epoch that was given out after the backup.
LEAP: Final[LiteralString] = "UPDATE ordinaut.due_work SET epoch = epoch + 1000000"
LEAP_DEAD: Final[LiteralString] = """
    UPDATE ordinaut.run SET epoch = epoch + 1000000 WHERE state IN ('failed', 'canceled')
"""
# Nor may a number mean another run, event or process than it meant to whoever has seen it.
LEAP_NUMBERS: Final[LiteralString] = """
    SELECT setval(s.name::regclass, nextval(s.name::regclass) + 1000000)
    FROM unnest(ARRAY['ordinaut.run_id', 'ordinaut.event_id',
                      pg_get_serial_sequence('ordinaut.process', 'id')]) AS s (name)
"""
# As a release: not counted, and the permit is given back. The journal keeps the step that was
# under way, so that the next claim takes it for interrupted.
TAKE_BACK: Final[LiteralString] = """
    WITH back AS (
        UPDATE ordinaut.due_work
        SET state = 'queued', attempt = greatest(attempt - 1, 0), process_id = NULL,
            lease_until = NULL, needs_permit = concurrency_key IS NOT NULL
        WHERE state = 'running' AND cancel_reason IS NULL
        RETURNING run_id
    ), freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM back WHERE p.run_id = back.run_id
    )
    SELECT count(*) FROM back
"""
# What somebody wants ended does not come back to the queue: the reaper ends it.
LET_GO: Final[LiteralString] = """
    UPDATE ordinaut.due_work SET process_id = NULL, lease_until = ordinaut.now() - interval '1 s'
    WHERE state = 'running'
"""
STOP_PROCESSES: Final[LiteralString] = """
    UPDATE ordinaut.process SET stopped_at = ordinaut.now() WHERE stopped_at IS NULL
"""
FREE_SHARDS: Final[LiteralString] = """
    UPDATE ordinaut.relay_shard SET process_id = NULL, lease_until = NULL
"""
COUNTS: Final[LiteralString] = """
    SELECT (SELECT count(*) FROM ordinaut.task), (SELECT count(*) FROM ordinaut.due_work)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a restore brought: tasks, unfinished runs, and those of them that had been running."""

    tasks: int
    unfinished: int
    taken_back: int


def for_clients(database_url: str) -> tuple[str, dict[str, str]]:
    """The database as an argument of PostgreSQL's programs, and the password as environment."""
    parts = conninfo_to_dict(database_url)
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def server_major(database_url: str) -> int:
    """The major version of the server.

    Raises:
        Unavailable: it does not answer.
    """
    with _connected(database_url) as connection:
        return int(_one(connection, SERVER))


def require_room(database_url: str) -> None:
    """Make sure that nothing would be lost, and that nobody is at work.

    Raises:
        Conflict: there are tasks, or processes of Ordinaut are connected.
        Unavailable: the database does not answer.
    """
    with _connected(database_url) as connection:
        if _one(connection, HAS_TABLE) and _one(connection, HAS_TASKS):
            raise Conflict(
                "The database has tasks: a restore would take their place. Nothing was changed.",
                hint="Restore into another ORDINAUT_HOME or an empty database.",
            )
        if _one(connection, COMPANY):
            raise Conflict(
                "Processes of Ordinaut are connected to this database. Nothing was changed.",
                hint="Stop them (`ordinaut-mcp down`, and every `runtime` and client), then "
                "call again.",
            )


@contextmanager
def room(database_url: str) -> Generator[None, None, None]:
    """An empty schema for the length of the block; on any error all is as it was before."""
    with _connected(database_url) as connection, connection.transaction():
        connection.execute(DROP_FORMER)
        if _one(connection, HAS_SCHEMA):
            connection.execute(SET_ASIDE)
        connection.execute(MAKE)
    try:
        yield
    except BaseException:
        with _connected(database_url) as connection, connection.transaction():
            connection.execute(DROP)
            if _one(connection, HAS_FORMER):
                connection.execute(PUT_BACK)
        raise
    with _connected(database_url) as connection:
        connection.execute(DROP_FORMER)


def begin_new_life(database_url: str) -> Counts:
    """Take back what belonged to processes of the life before; the schema must be current."""
    with _connected(database_url) as connection, connection.transaction():
        for statement in (LEAP, LEAP_DEAD, LEAP_NUMBERS):
            connection.execute(statement)
        taken_back = int(_one(connection, TAKE_BACK))
        for statement in (LET_GO, STOP_PROCESSES, FREE_SHARDS):
            connection.execute(statement)
        found = connection.execute(COUNTS).fetchone()
    tasks, unfinished = found or (0, 0)
    return Counts(tasks=tasks, unfinished=unfinished, taken_back=taken_back)


@contextmanager
def _connected(database_url: str) -> Generator[Connection[TupleRow], None, None]:
    with (
        unavailable(),
        psycopg.connect(
            database_url, autocommit=True, connect_timeout=CONNECT_SECONDS
        ) as connection,
    ):
        yield connection


def _one(connection: Connection[TupleRow], question: LiteralString) -> Any:
    found = connection.execute(question).fetchone()
    if found is None:
        raise OrdinautError("The database gave no answer.")
    return found[0]
