"""Migrations: numbered SQL files, each with its rollback, applied under one advisory lock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from ordinaut_mcp.errors import Conflict, InvalidInput
from ordinaut_mcp.store.pool import CONNECT_SECONDS, unavailable

LOCK: Final[LiteralString] = "SELECT pg_advisory_lock(hashtextextended('ordinaut.migrate', 0))"
RECORD_TABLE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS ordinaut.migration (
        number     integer PRIMARY KEY,
        name       text NOT NULL,
        digest     text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
    )
"""
SCHEMA: Final[LiteralString] = "CREATE SCHEMA IF NOT EXISTS ordinaut"
APPLIED: Final[LiteralString] = (
    "SELECT number, name, digest FROM ordinaut.migration ORDER BY number"
)
EXISTS: Final[LiteralString] = "SELECT to_regclass('ordinaut.migration') IS NOT NULL"
RECORD: Final[LiteralString] = (
    "INSERT INTO ordinaut.migration (number, name, digest) VALUES (%s, %s, %s)"
)
FORGET: Final[LiteralString] = "DELETE FROM ordinaut.migration WHERE number = %s"

_NAME = re.compile(r"(\d{4})_(\w+)\.up\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema, with the way back."""

    number: int
    name: str
    up: str
    down: str

    @property
    def digest(self) -> str:
        """sha256 of the forward SQL: a file that has landed is never edited."""
        return hashlib.sha256(self.up.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where the database is and where the code wants it; `problem` in words, None: all is well."""

    applied: int
    known: int

    @property
    def problem(self) -> str | None:
        """What stands between this code and this database."""
        if self.applied < self.known:
            return f"The schema is at {self.applied}, this version needs {self.known}."
        if self.applied > self.known:
            return f"The schema is at {self.applied}; this version only knows {self.known}."
        return None


def migrations() -> Sequence[Migration]:
    """All migrations that this version knows, in order; the wheel carries them."""
    folder = files("ordinaut_mcp").joinpath("_schema")
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "schema"
    found: list[Migration] = []
    for entry in folder.iterdir():
        if match := _NAME.fullmatch(entry.name):
            down = folder.joinpath(f"{match[1]}_{match[2]}.down.sql").read_text(encoding="utf-8")
            up = entry.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], up, down))
    return sorted(found, key=lambda migration: migration.number)


def migrate(database_url: str, *, to: int | None = None) -> list[str]:
    """Bring the schema to number `to` (default: the newest), forward or back; say what was done.

    One transaction for each migration, so that an interrupted one leaves nothing behind.

    Raises:
        Unavailable: the database did not answer.
        Conflict: an applied file was edited since.
        InvalidInput: there is no such number.
    """
    known = migrations()
    target = known[-1].number if to is None else to
    if target not in {0, *(migration.number for migration in known)}:
        raise InvalidInput(
            f"There is no migration {target}.", field="to", allowed=[f"0 to {known[-1].number}"]
        )
    with (
        unavailable(),
        psycopg.connect(
            database_url, autocommit=True, connect_timeout=CONNECT_SECONDS
        ) as connection,
    ):
        connection.execute(LOCK)  # let go with the connection
        connection.execute(SCHEMA)
        connection.execute(RECORD_TABLE)
        return _walk(connection, known, target)


def schema_state(database_url: str) -> SchemaState:
    """Where the database is; changes nothing."""
    known = migrations()[-1].number
    with (
        unavailable(),
        psycopg.connect(
            database_url, autocommit=True, connect_timeout=CONNECT_SECONDS
        ) as connection,
    ):
        there = connection.execute(EXISTS).fetchone()
        if not (there and there[0]):
            return SchemaState(0, known)
        return SchemaState(
            max((number for number, _, _ in connection.execute(APPLIED)), default=0), known
        )


def _walk(connection: Connection[TupleRow], known: Sequence[Migration], target: int) -> list[str]:
    applied = {number: digest for number, _, digest in connection.execute(APPLIED)}
    done: list[str] = []
    for migration in known:
        recorded = applied.get(migration.number)
        if recorded and recorded != migration.digest:
            raise Conflict(
                f"Migration {migration.number:04} was edited after it was applied here.",
                hint="Put the file back as it was and add a new migration instead.",
            )
        if not recorded and migration.number <= target:
            _apply(connection, migration)
            done.append(f"applied {migration.number:04} {migration.name}")
    for migration in reversed(known):
        if migration.number > target and migration.number in applied:
            _revert(connection, migration)
            done.append(f"reverted {migration.number:04} {migration.name}")
    return done


def _apply(connection: Connection[TupleRow], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.up.encode())
        connection.execute(RECORD, (migration.number, migration.name, migration.digest))


def _revert(connection: Connection[TupleRow], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.down.encode())
        connection.execute(FORGET, (migration.number,))
