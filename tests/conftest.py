"""Fixtures shared by every suite: the event loop, real servers, a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.postgres_settings import SUPERUSER
from ordinaut_mcp.store.migrate import migrate
from ordinaut_mcp.store.pool import Pool, new_pool
from tests.databases import drop
from tests.moving import MOVABLE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that the system account may pass through, as a home may be."""
    made = Path(tempfile.mkdtemp(prefix="ord-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Generator[str, None, None]:
    """The URL of one real PostgreSQL for the whole session."""
    made = Path(tempfile.mkdtemp(prefix="ord-pg-", dir="/tmp"))
    made.chmod(0o755)
    home = Home(made)
    home.prepare()
    postgres = EmbeddedPostgres(home)
    try:
        url = postgres.start()
        # Nothing here must outlive a power cut, and a database for each test costs checkpoints.
        with psycopg.connect(make_conninfo(url, user=SUPERUSER), autocommit=True) as admin:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                admin.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            admin.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        postgres.stop("immediate")
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """A migrated database that no test touches; each test gets a copy of it."""
    name = f"template_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(server, dbname=name)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(MOVABLE)
    return name


@pytest.fixture
def database(server: str, template: str) -> Generator[str, None, None]:
    """A fresh, migrated database whose now can be moved (tests/moving.py)."""
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        yield make_conninfo(server, dbname=name)
        drop(admin, name)


@pytest.fixture
async def pool(database: str) -> AsyncGenerator[Pool, None]:
    async with new_pool(database, largest=12) as opened:
        yield opened


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches the test."""
    for name in os.environ:
        if name.startswith("ORDINAUT_"):
            monkeypatch.delenv(name)
