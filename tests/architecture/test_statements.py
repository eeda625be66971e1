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
from ordinaut_mcp.store.queue import CLAIM

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


def nodes(plan: Any) -> list[dict[str, Any]]:
    """All nodes of a plan."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


@pytest.fixture(scope="module")
def schema(server: str, template: str) -> str:
    """The migrated database itself: nothing here stays."""
    return make_conninfo(server, dbname=template)


def test_the_statements_of_every_store_module_are_found() -> None:
    assert {"queue.CLAIM", "journal.BEGIN_STEP", "slots.DUE", "tasks.CREATE"} <= set(STATEMENTS)
    assert len(STATEMENTS) > 40
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


FILL = """
    WITH agent AS (INSERT INTO ordinaut.agent (name) VALUES ('local') RETURNING name),
    task AS (
        INSERT INTO ordinaut.task (owner, title, status, tz_version, pipeline_digest)
        SELECT name, 'Test', 'active', '2026f', '' FROM agent, generate_series(1, 1000)
        RETURNING id
    ), numbered AS (SELECT id, row_number() OVER () AS number FROM task)
    INSERT INTO ordinaut.due_work
        (run_id, run_created_at, task_id, owner, run_at, priority, state, serial)
    SELECT n, now(), numbered.id, 'local', now() + (n - 5000) * interval '1 second', 1 + n % 9,
           (ARRAY['queued', 'retrying', 'running', 'waiting'])[1 + n % 4], n % 2 = 0
    FROM generate_series(1, 10000) n JOIN numbered ON numbered.number = 1 + n % 1000
"""


def test_the_claim_reads_its_partial_index_in_order_and_stops(database: str) -> None:
    parameters = {"limit": 16, "process": 1, "lease_for": "30 s"}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("ANALYZE ordinaut.due_work")
        plan = nodes(explained(connection, CLAIM, parameters))

    scans = {
        node["Alias"]: (node["Node Type"], node.get("Index Name"))
        for node in plan
        if node.get("Relation Name") == "due_work" and node["Node Type"] != "ModifyTable"
    }
    assert ("Index Scan", "due_work_claim") in scans.values()
    assert "Seq Scan" not in {kind for kind, _ in scans.values()}
    # The index has the order of the claim.
    assert "Sort" not in {node["Node Type"] for node in plan}
