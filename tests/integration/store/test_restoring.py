"""A restore brings everything or nothing; what held only in the life before is let go."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ordinaut_mcp.app.backup import back_up, restore
from ordinaut_mcp.app.dump import check_dump
from ordinaut_mcp.config import Settings
from ordinaut_mcp.embedded import clients
from ordinaut_mcp.embedded.clients import run_client
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.launcher import claim_runtime
from ordinaut_mcp.errors import (
    Conflict,
    InvalidInput,
    NotAvailable,
    NotFound,
    OrdinautError,
    Unavailable,
)
from ordinaut_mcp.store.migrate import migrate, migrations, schema_state
from ordinaut_mcp.store.restoring import Counts, for_clients
from tests.databases import drop

NEWEST = migrations()[-1].number
LIFE = """
    INSERT INTO ordinaut.agent (name) VALUES ('local');
    INSERT INTO ordinaut.task (owner, title, status, tz_version, pipeline_digest)
    VALUES ('local', 'Test', 'active', '2026f', '');
    INSERT INTO ordinaut.process (host, pid, roles, version, tzdata)
    VALUES ('here', 1, '{worker}', '1', '2026f');
    INSERT INTO ordinaut.permit (owner, key, place, run_id) VALUES ('local', 'key:a', 1, 1);
    INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state,
                              scheduled_for, due_at, epoch)
    SELECT nextval('ordinaut.run_id'), ordinaut.now(), 1, 1, 'local', 'manual', s,
           ordinaut.now(), ordinaut.now(), 3
    FROM unnest('{queued,queued,queued,queued,failed,succeeded}'::text[]) AS s;
    INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority, state,
                                   attempt, crashes, epoch, process_id, lease_until,
                                   concurrency_key, max_concurrent, cancel_reason)
    SELECT w.id, r.created_at, 1, 'local', ordinaut.now(), 5, w.state, w.attempt, 1, w.epoch,
           w.process, ordinaut.now() + w.lease, w.key, 1, w.reason
    FROM (VALUES (1, 'running', 2, 3, 1, interval '1 hour', 'key:a', NULL),
                 (2, 'queued', 0, 0, NULL, NULL, NULL, NULL),
                 (3, 'waiting', 1, 2, NULL, NULL, NULL, NULL),
                 (4, 'running', 1, 1, 1, interval '1 hour', NULL, 'asked'))
        AS w (id, state, attempt, epoch, process, lease, key, reason)
    JOIN ordinaut.run r ON r.id = w.id;
    UPDATE ordinaut.relay_shard
    SET position = 7, process_id = 1, lease_until = ordinaut.now() + interval '1 hour'
    WHERE shard = 3;
"""
QUEUE = """
    SELECT state, attempt, crashes, epoch, process_id, lease_until < ordinaut.now(), needs_permit
    FROM ordinaut.due_work ORDER BY run_id
"""
LET_GO = """
    SELECT (SELECT count(*) FROM ordinaut.process WHERE stopped_at IS NULL),
           (SELECT count(*) FROM ordinaut.relay_shard
            WHERE process_id IS NOT NULL OR lease_until IS NOT NULL),
           (SELECT position FROM ordinaut.relay_shard WHERE shard = 3),
           (SELECT count(*) FROM ordinaut.permit WHERE run_id IS NOT NULL)
"""
EPOCHS = "SELECT epoch FROM ordinaut.run WHERE state <> 'queued' ORDER BY id"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ordinaut%' ORDER BY 1"


@pytest.fixture
def empty(server: str) -> Generator[str, None, None]:
    """A database with nothing in it."""
    name = f"empty {uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(server, dbname=name)
        drop(admin, name)


@pytest.fixture
def source(server: str) -> Generator[str, None, None]:
    """A database in the middle of its life."""
    name = f"source_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = make_conninfo(server, dbname=name)
        migrate(url)
        execute(url, LIFE)
        yield url
        drop(admin, name)


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return list(connection.execute(question.encode()))


def over(folder: Path, url: str) -> Settings:
    return Settings(home=folder / "home", database_url=url)


@pytest.fixture
def dump(folder: Path, source: str) -> Path:
    """A backup of the life."""
    return back_up(over(folder, source), folder / "a.dump").file


def test_what_was_leased_is_queued_again_and_no_epoch_is_given_out_twice(
    folder: Path, dump: Path, empty: str
) -> None:
    done = restore(over(folder, empty), dump)

    assert done.counts == Counts(tasks=1, unfinished=4, taken_back=1)
    assert done.migrated == []
    assert ask(empty, QUEUE) == [
        ("queued", 1, 1, 1_000_003, None, None, True),
        ("queued", 0, 1, 1_000_000, None, None, False),
        ("waiting", 1, 1, 1_000_002, None, None, False),
        # Somebody had asked for its end: the reaper is to find it.
        ("running", 1, 1, 1_000_001, None, True, False),
    ]
    assert ask(empty, LET_GO) == [(0, 0, 7, 0)]
    assert ask(empty, EPOCHS) == [(1_000_003,), (3,)]
    assert ask(empty, "SELECT nextval('ordinaut.run_id') > 1000006") == [(True,)]
    assert ask(empty, SCHEMAS) == [("ordinaut",)]


def test_a_schema_without_tasks_makes_room(folder: Path, dump: Path, empty: str) -> None:
    migrate(empty)
    execute(empty, "CREATE SCHEMA ordinaut_before_restore")  # what a killed restore left

    assert restore(over(folder, empty), dump).counts.tasks == 1
    assert ask(empty, SCHEMAS) == [("ordinaut",)]


def test_an_older_backup_is_brought_up_to_date(folder: Path, server: str, empty: str) -> None:
    older = f"older_{uuid4().hex}"
    execute_alone(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(older)))
    url = make_conninfo(server, dbname=older)
    migrate(url, to=2)
    execute(url, LIFE)
    saved = back_up(over(folder, url), folder / "older.dump")
    assert saved.schema == 2

    done = restore(over(folder, empty), saved.file)

    assert done.migrated[0] == "applied 0003 retention"
    assert done.counts.unfinished == 4
    assert schema_state(empty).problem is None


def execute_alone(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_a_database_with_tasks_keeps_them(folder: Path, dump: Path, source: str) -> None:
    with pytest.raises(Conflict, match="has tasks"):
        restore(over(folder, source), dump)
    assert len(ask(source, QUEUE)) == 4


def test_nothing_is_restored_under_somebody_who_is_connected(
    folder: Path, dump: Path, empty: str
) -> None:
    with (
        psycopg.connect(make_conninfo(empty, application_name="ordinaut")),
        pytest.raises(Conflict, match="are connected"),
    ):
        restore(over(folder, empty), dump)
    assert ask(empty, SCHEMAS) == []


def test_nothing_is_restored_under_a_runtime(folder: Path, dump: Path, empty: str) -> None:
    lock = claim_runtime(Home(folder / "home"))
    assert lock is not None
    with lock, pytest.raises(Conflict, match="is up"):
        restore(over(folder, empty), dump)


def test_a_restore_that_fails_leaves_all_as_it_was(
    folder: Path, dump: Path, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    execute(empty, "INSERT INTO ordinaut.agent (name) VALUES ('kept')")
    monkeypatch.setattr("ordinaut_mcp.app.backup.RESTORE", ("--format=custom", "--bogus"))

    with pytest.raises(OrdinautError, match="pg_restore could not restore"):
        restore(over(folder, empty), dump)

    assert ask(empty, SCHEMAS) == [("ordinaut",)]
    assert ask(empty, "SELECT name FROM ordinaut.agent") == [("kept",)]


def test_a_first_restore_that_fails_leaves_nothing(
    folder: Path, dump: Path, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordinaut_mcp.app.backup.RESTORE", ("--format=custom", "--bogus"))

    with pytest.raises(OrdinautError):
        restore(over(folder, empty), dump)
    assert ask(empty, SCHEMAS) == []


def test_a_backup_with_another_schema_is_refused(folder: Path, source: str, dump: Path) -> None:
    check_dump(dump)
    execute(source, "UPDATE ordinaut.migration SET digest = repeat('a', 64) WHERE number = 2")
    other = back_up(over(folder, source), folder / "other.dump").file
    with pytest.raises(Conflict, match="by another version"):
        check_dump(other)


def test_a_dump_of_something_else_is_refused(folder: Path, empty: str) -> None:
    execute(empty, "CREATE TABLE public.notes (text text)")
    file = folder / "notes.dump"
    made = run_client("pg_dump", ["--format=custom", f"--file={file}", f"--dbname={empty}"])
    assert made.code == 0
    with pytest.raises(InvalidInput, match="no backup of Ordinaut"):
        check_dump(file)
    with pytest.raises(InvalidInput, match="cannot be read"):
        check_dump(folder)


def test_where_nothing_can_be_written_is_told(folder: Path, source: str, empty: str) -> None:
    settings = over(folder, source)
    with pytest.raises(InvalidInput, match="is a folder"):
        back_up(settings, folder)
    with pytest.raises(InvalidInput, match="cannot be written in"):
        back_up(settings, folder / "missing" / "a.dump")
    with pytest.raises(NotFound, match="nothing to back up"):
        back_up(over(folder, empty), folder / "a.dump")
    assert list(folder.iterdir()) == []


def test_a_backup_that_fails_leaves_no_file(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordinaut_mcp.app.backup.DUMP", ("--bogus",))
    with pytest.raises(OrdinautError, match="pg_dump could not write"):
        back_up(over(folder, source), folder / "a.dump")
    assert list(folder.iterdir()) == []


def test_a_server_that_is_newer_than_the_programs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAvailable, match="The server is PostgreSQL 19, and pg_dump 18"):
        run_client("pg_dump", ["--version"], server=19)
    assert "(PostgreSQL) 18" in run_client("pg_dump", ["--version"], server=17).output
    assert "(PostgreSQL) 16" in run_client("pg_restore", ["--version"], server=16).output

    monkeypatch.setattr(clients, "postgres_wheel", lambda: None)
    with pytest.raises(NotAvailable, match="no pg_dump comes along"):
        run_client("pg_dump", ["--version"])


def test_a_database_that_does_not_answer_is_told(folder: Path) -> None:
    with pytest.raises(Unavailable):
        back_up(over(folder, "postgresql://nobody@127.0.0.1:1/none"), folder / "a.dump")
    assert list(folder.iterdir()) == []


def test_a_password_is_no_argument() -> None:
    where, secret = for_clients("postgresql://ann:hunter22@db.example/prod?sslmode=require")
    assert where == "user=ann dbname=prod host=db.example sslmode=require"
    assert secret == {"PGPASSWORD": "hunter22"}
    assert for_clients("host=/tmp dbname=a")[1] == {}
