"""The PostgreSQL that runs on a database folder, found by its postmaster.pid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ordinaut_mcp.embedded.owner import Owner
from ordinaut_mcp.embedded.pids import PROC, account_id, birth_mark, command_line


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A living one. `status` is PostgreSQL's own word: starting, ready, stopping."""

    pid: int
    mark: str
    sockets: Path | None
    status: str

    @property
    def socket(self) -> Path | None:
        return self.sockets / ".s.PGSQL.5432" if self.sockets else None


def pid_file(database: Path) -> Path:
    return database / "postmaster.pid"


def find_postmaster(database: Path, owner: Owner) -> Postmaster | None:
    """The living PostgreSQL of this folder; None when the file is missing, stale or foreign.

    A process id in the file proves nothing, it may be used again by now: the process must run
    as `owner`, be a `postgres`, and work on this very folder.
    """
    lines = _lines(database)
    pid = int(lines[0]) if lines and lines[0].isdigit() else 0
    mark = birth_mark(pid)
    if mark is None or not works_on(pid, database, owner):
        return None
    return Postmaster(
        pid=pid,
        mark=mark,
        sockets=Path(lines[4]) if len(lines) > 4 and lines[4] else None,
        status=lines[7].strip() if len(lines) > 7 else "starting",
    )


def works_on(pid: int, database: Path, owner: Owner) -> bool:
    """Whether `pid` is a PostgreSQL of `owner` on this folder, by its command or its own folder."""
    command = command_line(pid)
    program = command.split("\0", 1)[0]
    if account_id(pid) != owner.uid or not _names_postgres(program):
        return False
    words = command.split("\0")
    named = str(database) in (words if len(words) > 1 else command)
    return named or _stands_in(pid, database)


def _names_postgres(program: str) -> bool:
    """`ps` answers with the whole command in one piece: there the first word cannot be told."""
    return Path(program).name == "postgres" or "/postgres -D " in program


def _stands_in(pid: int, database: Path) -> bool:
    """The folder may have been renamed since the start; its inode stays."""
    try:
        return os.path.samestat((PROC / str(pid) / "cwd").stat(), database.stat())
    except OSError:
        return False


def _lines(database: Path) -> list[str]:
    try:
        text = pid_file(database).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    return text.split("\n")
