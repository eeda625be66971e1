"""Asking the embedded PostgreSQL as any account, with the wheel's own psql."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ordinaut_mcp.embedded.binaries import postgres_binaries
from ordinaut_mcp.embedded.owner import SYSTEM_FOLDER, present_owner


def psql(url: str, statement: str) -> list[str]:
    """The command that asks `statement`."""
    binary = postgres_binaries(present_owner(), system=SYSTEM_FOLDER) / "psql"
    return [str(binary), "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, url]


def ask(
    url: str, statement: str, *, account: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        psql(url, statement),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        cwd="/",
        env={"LC_ALL": "C"},
        user=account,
        group="nogroup" if account else None,
        extra_groups=[] if account else None,
    )


def answer(url: str, statement: str) -> str:
    asked = ask(url, statement)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def written_pid(database: Path) -> int:
    return int((database / "postmaster.pid").read_text().split("\n", 1)[0])
