"""Ours, as a peer among peers: runs ordered through the port, drained by one worker process."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final, LiteralString

import anyio
import stored
from children import ROOT, environment
from peers.child import Begun

PACKAGES: Final = ("ordinaut-mcp", "psycopg")
TASKS: Final = 20
LEFT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM ordinaut.due_work)"


def install(url: str) -> None:
    """The template is migrated; make the tasks."""
    anyio.run(stored.tasks_to_run, url, [stored.NO_OP], TASKS)


def add(url: str, runs: int) -> None:
    """Order runs of each task, all due at once."""
    anyio.run(stored.order_of_all, url, runs)


def work(url: str, begun: Begun, option: str) -> None:
    """Become one worker process; when its first claim was, the database knows."""
    del begun
    settings = {"worker_slots": option} if option else {}
    home = Path(tempfile.mkdtemp(prefix="ord-bw-"))
    os.chdir(ROOT)
    words = [sys.executable, "-m", "ordinaut_mcp", "runtime", "--roles", "worker"]
    env = environment(home, database_url=url, **settings)
    os.execve(sys.executable, words, env)  # noqa: S606 — our own command
