"""A database of one's own instead of the embedded one: `migrate`, `runtime`, and the stdio way."""

from __future__ import annotations

from collections.abc import Generator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.acceptance.product import Product, installed
from tests.acceptance.tasks import task
from tests.databases import drop


@pytest.fixture
def empty(product: Product) -> Generator[str, None, None]:
    """The URL of an empty database, for somebody else's home."""
    url, name = product.status()["database_url"], f"own_{uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(url, dbname=name)
        drop(admin, name)


def test_the_schema_is_made_and_taken_back_by_hand(empty: str) -> None:
    with installed(database_url=empty) as own:
        checked = own.command("migrate", "--check")
        assert checked.code == 1
        refused = own.command("runtime", "--roles", "worker")
        assert refused.code == 4
        assert "ordinaut-mcp migrate" in refused.err
        done = own.command("migrate")
        assert (done.code, done.out) == (0, "")
        assert "0001" in done.err
        assert own.command("migrate", "--check").code == 0
        assert own.command("migrate", "--to", "0").code == 0
        assert own.command("migrate", "--check").code == 1


def test_the_local_runtime_works_on_a_database_and_a_redis_of_ones_own(
    product: Product, empty: str
) -> None:
    redis = product.status()["redis_url"]
    with installed(database_url=empty, redis_url=redis) as own:
        with own.session() as session:
            session.call("schedule_task", **task(key="own"))
            run = session.call("run_now", task="own", wait_seconds=20)["run"]
        assert run["state"] == "succeeded"
        status = own.status()
        assert (status["database_url"], status["redis_url"]) == (empty, redis)
        assert not (own.home / "postgres").exists()
        assert not (own.home / "valkey").exists()
        assert own.command("doctor").code == 0
