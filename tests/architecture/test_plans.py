"""The hot statements are held to their indexes, however large the queue and whoever prepares."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from ordinaut_mcp.store.claims import CLAIM, CLAIM_LIMITED, NEXT
from ordinaut_mcp.store.heartbeat import BEAT
from ordinaut_mcp.store.journal import WRITE
from ordinaut_mcp.store.reaping import BURY, REAP
from ordinaut_mcp.store.settlement import FINISH, RETURN
from tests.architecture.crowd import OWNERS, PRIORITIES, gather, idle
from tests.architecture.plans import MODES, Mode, carried_out

Connection = psycopg.Connection[TupleRow]

slow = pytest.mark.skipif(
    os.environ.get("ORDINAUT_SLOW") != "1", reason="ORDINAUT_SLOW=1: a million rows"
)
HELD: Final = list(range(1, 5001, 50))
"""Runs that are running, as a worker with a large batch has them."""
LINES: Final = json.dumps(
    [
        {
            "run": run,
            "epoch": 1,
            "path": "a",
            "position": 0,
            "uses": "echo.say",
            "state": "succeeded",
            "attempt": 1,
            "output": 1,
            "began": 0,
            "ended": 0,
        }
        for run in HELD
    ]
)
CLAIMING: Final = {
    "process": 1,
    "limit": 16,
    "lease_for": "30 s",
    "after": "owner-12",
    "worth": "5 min",
}
REAPING: Final[dict[str, Any]] = {"gone": [], "crashes_allowed": 3, "error": "{}"}


def settling(state: str) -> dict[str, str]:
    """A batch that ends alike."""
    rows = [{"run_id": run, "epoch": 1, "state": state, "rest_seconds": 1} for run in HELD]
    return {"given": json.dumps(rows), "lines": LINES}


WRITES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "FINISH": (FINISH, settling("succeeded")),
    "RETURN": (RETURN, settling("retrying")),
    "WRITE": (WRITE, {"ids": HELD, "epochs": [1] * len(HELD), "lines": LINES}),
    "BEAT": (
        BEAT,
        {"process": 1, "ids": HELD, "epochs": [1] * len(HELD), "lease_for": "30 s"},
    ),
}


@pytest.fixture(
    scope="module", params=[10_000, pytest.param(1_000_000, marks=slow)], ids=["10k", "1M"]
)
def crowd(request: pytest.FixtureRequest, server: str, template: str) -> Generator[str, None, None]:
    """A database with so many unfinished runs; nothing that a test does in it stays."""
    name = f"crowd_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        url = make_conninfo(server, dbname=name)
        with psycopg.connect(url, autocommit=True) as connection:
            gather(connection, request.param)
        yield url


@pytest.fixture
def connection(crowd: str) -> Generator[Connection, None, None]:
    with psycopg.connect(crowd) as opened:
        opened.execute("SET LOCAL statement_timeout = '20 s'")
        yield opened
        opened.rollback()


@pytest.mark.parametrize("mode", MODES)
def test_the_claim_reads_its_partial_index_and_sorts_no_more_than_the_candidates(
    connection: Connection, mode: Mode
) -> None:
    plan = carried_out(connection, CLAIM, CLAIMING, mode=mode)

    assert plan.result == 16
    # What is due, what is before a serial run, and what was chosen.
    assert plan.indexes("due_work") == {"due_work_claim", "due_work_of_task", "due_work_pkey"}
    assert plan.most_sorted() <= OWNERS * PRIORITIES * 16


@pytest.mark.parametrize("mode", MODES)
def test_the_claim_under_limits_reads_due_runs_by_their_key(
    connection: Connection, mode: Mode
) -> None:
    plan = carried_out(connection, CLAIM_LIMITED, CLAIMING, mode=mode)

    assert plan.result > 0
    assert plan.indexes("due_work") == {"due_work_limited", "due_work_of_task", "due_work_pkey"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["FINISH", "RETURN", "WRITE", "BEAT"])
@pytest.mark.parametrize("is_idle", [False, True], ids=["as analysed", "analysed while idle"])
def test_what_a_worker_writes_finds_its_rows_by_their_key(
    connection: Connection, name: str, mode: Mode, is_idle: bool
) -> None:
    if is_idle:
        idle(connection)
    statement, parameters = WRITES[name]

    plan = carried_out(connection, statement, parameters, mode=mode)

    assert plan.indexes("due_work") == {"due_work_pkey"}
    assert plan.indexes("permit") <= {"permit_run_id_key"}


@pytest.mark.parametrize("mode", MODES)
def test_the_end_of_a_run_touches_one_partition_of_its_history(
    connection: Connection, mode: Mode
) -> None:
    plan = carried_out(connection, *WRITES["FINISH"], mode=mode)

    assert plan.result == len(HELD)
    assert {kind for _, kind in plan.touched("run_")} == {"Index Scan"}
    assert len(plan.touched("run_")) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("statement", [REAP, BURY], ids=["REAP", "BURY"])
def test_the_reaper_reads_only_what_runs(
    connection: Connection, statement: str, mode: Mode
) -> None:
    plan = carried_out(connection, statement, REAPING, mode=mode)

    assert plan.result == 0
    assert plan.indexes("due_work") == {"due_work_running", "due_work_pkey"}


@pytest.mark.parametrize("mode", MODES)
def test_the_next_due_instant_is_the_first_entry_of_its_index(
    connection: Connection, mode: Mode
) -> None:
    plan = carried_out(connection, NEXT, {}, mode=mode)

    assert plan.indexes("due_work") == {"due_work_next"}
