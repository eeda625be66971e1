"""Making the database folder: whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from ordinaut_mcp.embedded.binaries import MAJOR
from ordinaut_mcp.embedded.disk import disk_full, explaining, tells_full
from ordinaut_mcp.embedded.place import Place
from ordinaut_mcp.embedded.postgres_settings import DATABASE, ROLE, SETTINGS_FILE, SUPERUSER
from ordinaut_mcp.embedded.spawning import Ended, run_to_end
from ordinaut_mcp.errors import InvalidInput, NotAvailable, Unavailable

NEEDED_BYTES = 90 * 1024 * 1024
INIT_SECONDS = 120.0

INIT = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=peer",
    "--auth-host=reject",
    "--data-checksums",
    "--no-instructions",
)

FIRST_STATEMENTS = (
    f"CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE;\n"
    f"GRANT pg_monitor TO {ROLE};\n"
    f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n"
)
"""The runtime's role is no superuser: nothing that it runs can reach files or programs."""


def ensure_cluster(place: Place, binaries: Path) -> None:
    """Make the database folder if there is none; one that is there is only checked.

    It is made under another name and renamed when it is complete, so that an interrupted
    making leaves nothing that could be taken for a database.

    Raises:
        InvalidInput: the folder holds something else.
        NotAvailable: it holds the database of another PostgreSQL.
        Unavailable: the disk is full, or `initdb` failed.
    """
    if _is_ready(place.postgres):
        return
    unfinished = place.postgres.with_name("postgres.unfinished")
    with explaining(place.folder):
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        if shutil.disk_usage(place.folder).free < NEEDED_BYTES:
            raise disk_full(place.folder)
        place.private_folder(unfinished)
        try:
            _make(unfinished, place, binaries)
            unfinished.rename(place.postgres)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _remember_rename(place.folder)


def _is_ready(database: Path) -> bool:
    with explaining(database):
        if not database.exists() or (database.is_dir() and not any(database.iterdir())):
            return False
        try:
            version = (database / "PG_VERSION").read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise InvalidInput(
                f"{database} holds something that is not a PostgreSQL database",
                field="ORDINAUT_HOME",
                hint="Move it away or choose another ORDINAUT_HOME.",
            ) from None
    if version != str(MAJOR):
        raise NotAvailable(
            f"{database} was made by PostgreSQL {version}; this version brings {MAJOR}",
            hint=f"Back it up with the Ordinaut that made it and restore it here, or set "
            f"ORDINAUT_DATABASE_URL to a running PostgreSQL {version}.",
        )
    return True


def _make(folder: Path, place: Place, binaries: Path) -> None:
    init = [str(binaries / "initdb"), f"--pgdata={folder}", *INIT]
    _checked(run_to_end(init, place.owner, seconds=INIT_SECONDS), place)
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n# Ordinaut's own; what stands below this line wins over it.\n")
        file.write(f"include_if_exists = '{SETTINGS_FILE}'\n")
    alone = [str(binaries / "postgres"), "--single", "-D", str(folder)]
    alone += ["-c", "listen_addresses=", "-c", "log_checkpoints=off", SUPERUSER]
    ended = run_to_end(alone, place.owner, seconds=INIT_SECONDS, text=FIRST_STATEMENTS)
    # Alone, PostgreSQL ends with 0 whatever became of the statements.
    _checked(Ended(1 if "ERROR:" in ended.output else ended.code, ended.output), place)


def _checked(ended: Ended, place: Place) -> None:
    if ended.code == 0:
        return
    if tells_full(ended.output):
        raise disk_full(place.folder)
    telling = [line for line in ended.output.splitlines() if re.search("error|ERROR|FATAL", line)]
    said = "\n".join(telling[:4]) or ended.output[-600:]
    raise Unavailable(
        f"PostgreSQL could not make its database: {said}",
        hint="Mend what the message names, or set ORDINAUT_DATABASE_URL.",
    )


def _remember_rename(folder: Path) -> None:
    """Have the new name survive a power failure."""
    if sys.platform != "win32":  # pragma: no branch
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
