"""A backup's file, looked at before anything is touched."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ordinaut_mcp.embedded.clients import run_client
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound
from ordinaut_mcp.store.migrate import migrations

MAGIC = b"PGDMP"
RECORD = re.compile(r"^(\d+)\t\w+\t([0-9a-f]{64})\t", re.MULTILINE)
"""A row of the table `migration` as COPY writes it: number, name, digest, time."""


def check_dump(file: Path) -> None:
    """Make sure that the file is a whole backup that this version can bring back.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, is damaged, or is something else.
        Conflict: another version made it, whose schema this one does not know.
    """
    _check_magic(file)
    whole = run_client("pg_restore", ["--format=custom", f"--file={os.devnull}", str(file)])
    if whole.code != 0:
        said = whole.output.strip()[-400:]
        raise InvalidInput(
            f"{file} is damaged or cut off; nothing was stored: {said}", field="FILE"
        )
    _check_schema(file, _recorded(file))


def _check_magic(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            first = opened.read(len(MAGIC))
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", field="FILE") from None
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.", field="FILE") from error
    if first != MAGIC:
        raise InvalidInput(
            f"{file} is no backup; nothing was stored.",
            field="FILE",
            hint="Give a file that `ordinaut-mcp backup` wrote.",
        )


def _recorded(file: Path) -> Mapping[int, str]:
    """The migrations that the backup's schema has, each with its digest."""
    only = ["--format=custom", "--data-only", "--schema=ordinaut", "--table=migration"]
    found = run_client("pg_restore", [*only, "--file=-", str(file)])
    return {int(number): digest for number, digest in RECORD.findall(found.output)}


def _check_schema(file: Path, recorded: Mapping[int, str]) -> None:
    if not recorded:
        raise InvalidInput(f"{file} is no backup of Ordinaut; nothing was stored.", field="FILE")
    known = {migration.number: migration.digest for migration in migrations()}
    newest = max(recorded)
    if newest > max(known):
        raise Conflict(
            f"{file} was made by a newer version: its schema is at {newest}, this version knows "
            f"{max(known)}. Nothing was stored.",
            field="FILE",
            hint="Upgrade Ordinaut, then call again.",
        )
    if any(known[number] != digest for number, digest in recorded.items()):
        raise Conflict(
            f"{file} was made by another version, with another schema {newest}. Nothing was "
            "stored.",
            field="FILE",
            hint="Restore it with the version that made it.",
        )
