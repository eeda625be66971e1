"""Migrations go up, down and up again; nobody applies one twice or edits it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ordinaut_mcp.errors import Conflict, InvalidInput, Unavailable
from ordinaut_mcp.store import migrate as migrating
from ordinaut_mcp.store.migrate import SchemaState, migrate, migrations, schema_state
from tests.databases import drop

NEWEST = migrations()[-1].number
ALL_UP = [f"applied {one.number:04} {one.name}" for one in migrations()]
ALL_DOWN = [f"reverted {one.number:04} {one.name}" for one in reversed(migrations())]
OBJECTS = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'ordinaut' AND c.relname NOT LIKE 'migration%'
"""


@pytest.fixture
def empty(server: str) -> Generator[str, None, None]:
    """A database with nothing in it."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(server, dbname=name)
        drop(admin, name)


def objects(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(OBJECTS).fetchone()
    assert found is not None
    return int(found[0])


def test_all_go_up_and_down_and_up_again(empty: str) -> None:
    assert migrate(empty) == ALL_UP
    made = objects(empty)

    assert migrate(empty, to=0) == ALL_DOWN
    assert objects(empty) == 0
    assert schema_state(empty) == SchemaState(0, NEWEST)

    assert migrate(empty) == ALL_UP
    assert objects(empty) == made > 20


def test_a_second_migrate_finds_nothing_to_do(empty: str) -> None:
    migrate(empty)

    assert migrate(empty) == []
    assert schema_state(empty).problem is None


def test_two_at_the_same_moment_apply_each_migration_once(empty: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(migrate, empty) for _ in range(2)]
        done = [one.result(timeout=30) for one in both]

    assert sorted(done) == [[], ALL_UP]


def test_an_applied_file_that_was_edited_is_refused(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    first, *others = migrations()
    edited = [replace(first, up=first.up + "\n-- a better comment\n"), *others]
    monkeypatch.setattr(migrating, "migrations", lambda: edited)

    with pytest.raises(Conflict, match=r"0001 was edited") as refused:
        migrate(empty)

    assert "add a new migration" in (refused.value.hint or "")


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(migrations()[0], up="CREATE TABLE ordinaut.half (); SELECT 1 / 0;")
    monkeypatch.setattr(migrating, "migrations", lambda: [broken])

    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty)

    assert objects(empty) == 0
    assert schema_state(empty).applied == 0


@pytest.mark.parametrize("number", [-1, NEWEST + 1, 10_000])
def test_an_unknown_number_is_refused_before_anything_is_touched(number: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        migrate("postgresql://nobody@127.0.0.1:1/none", to=number)

    assert refused.value.field == "to"
    assert refused.value.allowed == [f"0 to {NEWEST}"]


@pytest.mark.parametrize("ask", [migrate, schema_state])
def test_a_database_that_does_not_answer_is_unavailable(ask: Callable[[str], object]) -> None:
    with pytest.raises(Unavailable):
        ask("postgresql://nobody@127.0.0.1:1/none")


def test_the_state_of_a_schema_is_told_in_words(empty: str) -> None:
    assert "this version needs" in (schema_state(empty).problem or "")
    assert SchemaState(3, 2).problem == "The schema is at 3; this version only knows 2."
    assert SchemaState(2, 2).problem is None


def test_every_migration_has_a_way_back_and_numbers_have_no_gap() -> None:
    folder = Path(__file__).parents[2] / "schema"
    ups = sorted(path.name.removesuffix(".up.sql") for path in folder.glob("*.up.sql"))
    downs = sorted(path.name.removesuffix(".down.sql") for path in folder.glob("*.down.sql"))

    assert ups == downs
    assert [one.number for one in migrations()] == list(range(1, NEWEST + 1))


UNEXPLAINED_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'ordinaut' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'migration' AND obj_description(c.oid, 'pg_class') IS NULL
"""
# An index that carries a constraint is explained by it.
UNEXPLAINED_INDEXES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'ordinaut' AND c.relkind IN ('i', 'I') AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
      AND obj_description(c.oid, 'pg_class') IS NULL
"""
UNEXPLAINED_STATES = """
    SELECT c.relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = 'ordinaut' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attname IN ('state', 'status') AND col_description(c.oid, a.attnum) IS NULL
"""


@pytest.mark.parametrize("question", [UNEXPLAINED_TABLES, UNEXPLAINED_INDEXES, UNEXPLAINED_STATES])
def test_every_table_index_and_state_has_a_comment(question: str, empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty) as connection:
        bare = [name for (name,) in connection.execute(question.encode())]

    assert bare == []
