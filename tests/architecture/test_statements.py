"""Every SQL statement of the store is understood by the schema it will meet."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from ordinaut_mcp import store

MODULES = [
    importlib.import_module(f"{store.__name__}.{found.name}")
    for found in pkgutil.iter_modules(store.__path__)
]
STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
NOT_EXPLAINED = {"bell.LISTEN", "migrate.SCHEMA", "migrate.RECORD_TABLE"}
"""EXPLAIN is for queries; these are carried out and rolled back."""


def nulls(statement: str) -> Any:
    """A null for each parameter; PostgreSQL finds the types out, as PREPARE does."""
    names = re.findall(r"%\((\w+)\)s", statement)
    return dict.fromkeys(names) if names else (None,) * statement.count("%s")


def explained(connection: psycopg.Connection[TupleRow], statement: str, parameters: Any) -> Any:
    """The plan as JSON."""
    query = f"EXPLAIN (FORMAT JSON) {statement}".encode()
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0][0]["Plan"]


@pytest.fixture(scope="module")
def schema(server: str, template: str) -> str:
    """The migrated database itself: nothing here stays."""
    return make_conninfo(server, dbname=template)


def test_the_statements_of_every_store_module_are_found() -> None:
    known = {"claims.CLAIM", "claims.CLAIM_LIMITED", "settlement.FINISH", "settlement.RETURN"}
    known |= {"journal.WRITE", "heartbeat.BEAT", "reaping.REAP", "slots.DUE", "tasks.CREATE"}
    assert known <= set(STATEMENTS)
    assert len(STATEMENTS) > 100
    assert set(STATEMENTS) >= NOT_EXPLAINED


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - NOT_EXPLAINED))
def test_the_statement_has_a_plan(name: str, schema: str) -> None:
    statement = STATEMENTS[name]
    with psycopg.connect(schema) as connection:
        plan = explained(connection, statement, nulls(statement))
        connection.rollback()

    assert plan["Node Type"]


@pytest.mark.parametrize("name", sorted(NOT_EXPLAINED))
def test_the_command_is_carried_out(name: str, schema: str) -> None:
    with psycopg.connect(schema) as connection:
        done = connection.execute(STATEMENTS[name].encode()).statusmessage
        connection.rollback()

    assert done in {"LISTEN", "CREATE SCHEMA", "CREATE TABLE"}
