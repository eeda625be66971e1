"""kill -9 of the runtime and of PostgreSQL while a task waits: late perhaps, never lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually


@pytest.fixture(scope="module")
def fragile() -> Generator[Product, None, None]:
    """A product of its own, whose parts are killed."""
    with installed() as made:
        made.tools({"echo": made.echo()})
        started = made.command("up")
        assert started.code == 0, started.err
        yield made


def counting(key: str, expr: str) -> dict[str, Any]:
    step = {"id": "a", "uses": "echo.count", "with": {"mark": key}}
    return task(key=key, schedule_expr=expr, pipeline=[step])


def postmaster_started(product: Product) -> datetime:
    with product.database() as database:
        [(at,)] = database.execute("SELECT pg_postmaster_start_time()").fetchall()
        return at


def test_a_run_that_came_due_while_the_runtime_was_dead_is_made_late(
    fragile: Product, key: str
) -> None:
    before = fragile.status()
    database_up_since = postmaster_started(fragile)
    with fragile.session() as session:
        saved = session.call("schedule_task", **counting(key, "in 3 seconds"))
    os.kill(before["pid"], signal.SIGKILL)
    due = datetime.fromisoformat(saved["next"][0]["utc"])
    eventually(
        lambda: datetime.now(UTC) > due + timedelta(seconds=2),
        within=30,
        what="the due time is two seconds past",
    )
    assert fragile.counted(key) == []
    assert fragile.command("status").code == 4

    # The next start is a client's: nobody has to call `up`.
    with fragile.session() as session:
        run = session.ended_run(key)
    assert run["state"] == "succeeded"
    assert run["due_at"] == saved["next"][0]["local"]
    assert 2_000 <= run["lateness_ms"] < 60_000
    assert len(fragile.counted(key)) == 1
    after = fragile.status()
    assert after["pid"] != before["pid"]
    # The database that was left behind is adopted, never started a second time.
    assert postmaster_started(fragile) == database_up_since


def test_a_killed_database_comes_back_and_nothing_is_half_stored(
    fragile: Product, key: str
) -> None:
    with fragile.session() as session:
        waiting = f"{key}-waiting"
        session.call("schedule_task", **counting(waiting, "in 3 seconds"))
        runtime = fragile.status()["pid"]
        os.kill(postmaster(fragile), signal.SIGKILL)

        result = session.result("schedule_task", counting(key, "2031-03-01T09:00"))
        if result.is_error:
            error = dict(result.structured_content or {})["error"]
            assert error["code"] == "unavailable"
            assert "nothing was stored" in error["message"]
            assert error["retry_after"] > 0
        eventually(lambda: is_healthy(session), within=60, what="the database is back")
        stored = session.call("list_tasks", query=key)["tasks"]
        assert [one["key"] for one in stored] == [waiting] if result.is_error else [key, waiting]

        assert session.ended_run(waiting, within=60)["state"] == "succeeded"
        assert len(fragile.counted(waiting)) == 1
    assert fragile.status()["pid"] == runtime


def postmaster(product: Product) -> int:
    with product.database() as database:
        [(folder,)] = database.execute("SHOW data_directory").fetchall()
    return int((Path(folder) / "postmaster.pid").read_text("utf-8").splitlines()[0])


def is_healthy(session: Session) -> bool:
    status = session.result("get_status", {})
    return not status.is_error and dict(status.structured_content or {})["healthy"]


def test_a_call_without_a_database_says_that_nothing_was_stored(fragile: Product) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"
    with fragile.session(database_url=url, home=str(fragile.folder / "other")) as session:
        error = session.refused("schedule_task", **task())
    assert error["code"] == "unavailable"
    assert error["message"] == "The database is not reachable; nothing was stored."
    assert fragile.command("status", home=str(fragile.folder / "other")).code == 4
