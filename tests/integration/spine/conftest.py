"""A real Valkey for the session, empty for each test; and one of its own for what kills it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.spine.wire import Wire, opened
from ordinaut_mcp.store.outbox import PostgresOutbox
from ordinaut_mcp.store.pool import Pool
from tests.integration.spine.scene import Mortal, Scene


@contextmanager
def fresh_valkey() -> Generator[Mortal, None, None]:
    folder = Path(tempfile.mkdtemp(prefix="ord-vk-", dir="/tmp"))
    folder.chmod(0o755)
    home = Home(folder)
    home.prepare()
    try:
        yield Mortal(home)
    finally:
        EmbeddedValkey(home).stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey() -> Generator[str, None, None]:
    """The URL of one real Valkey for the whole session."""
    with fresh_valkey() as server:
        yield server.start()


@pytest.fixture
def mortal() -> Generator[Mortal, None, None]:
    """A Valkey that a test may kill."""
    with fresh_valkey() as server:
        yield server


@pytest.fixture
async def wire(valkey: str) -> AsyncGenerator[Wire, None]:
    async with opened(valkey) as wire:
        await wire.call("FLUSHALL")
        yield wire


@pytest.fixture
def outbox(pool: Pool) -> PostgresOutbox:
    return PostgresOutbox(pool, lease_for=timedelta(seconds=30), page=3)


@pytest.fixture
def scene(pool: Pool, wire: Wire) -> Scene:
    return Scene(pool, wire)
