"""One running product for the whole suite; tests keep apart by keys and agents of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session

Visit = Callable[..., AbstractContextManager[Session]]


@pytest.fixture(scope="session")
def product() -> Generator[Product, None, None]:
    """A local runtime that is up, with the tool servers `echo`, `evil` and `time`."""
    with installed(timezone="Europe/Chisinau") as made:
        time_server = {"command": sys.executable, "args": ["-m", "mcp_server_time"]}
        made.tools({"echo": made.echo(), "evil": made.evil(), "time": time_server})
        started = made.command("up")
        assert started.code == 0, started.err
        yield made


@pytest.fixture(scope="session")
def session(product: Product) -> Generator[Session, None, None]:
    """The session that most tests share; its agent is `tester`."""
    with product.session(agent="tester") as opened:
        yield opened


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"key-{uuid4().hex[:12]}"


@pytest.fixture
def agent() -> str:
    """An agent that no other test uses."""
    return f"agent-{uuid4().hex[:12]}"
