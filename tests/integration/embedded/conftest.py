"""A fresh home for each test, and the end of all that was started in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.launcher import stop_runtime
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.sockets import known_socket_folder
from ordinaut_mcp.embedded.valkey import EmbeddedValkey


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder of ours that every account may pass through, as tmp_path may not be as root."""
    folder = Path(tempfile.mkdtemp(prefix="ordinaut-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def system(ground: Path) -> Path:
    """What stands for /var/lib/ordinaut."""
    return ground / "system"


@pytest.fixture
def home(ground: Path) -> Iterator[Home]:
    """With a space and letters of several alphabets in its path."""
    home = Home(ground / "a home ünï ☂")
    yield home
    stop_all(home)


def stop_all(home: Home) -> None:
    """End what a test left running in this home, each by its own id."""
    with ExitStack() as ends:
        if (sockets := known_socket_folder(home)) is not None:
            ends.callback(shutil.rmtree, sockets, ignore_errors=True)
        ends.callback(EmbeddedPostgres(home).stop, "immediate")
        ends.callback(EmbeddedValkey(home).stop)
        ends.callback(stop_runtime, home, seconds=10)
