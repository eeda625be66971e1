"""`backup` and `restore`: the schema `ordinaut` as one file, by PostgreSQL's own programs."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ordinaut_mcp.app import local
from ordinaut_mcp.app.dump import check_dump
from ordinaut_mcp.config import Settings, process_environment
from ordinaut_mcp.embedded.clients import Program, run_client
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.launcher import claim_runtime, wait_ready
from ordinaut_mcp.embedded.lock import FileLock
from ordinaut_mcp.embedded.place import known_folder, postgres_folder
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound, OrdinautError
from ordinaut_mcp.store.migrate import migrate, schema_state
from ordinaut_mcp.store.restoring import (
    Counts,
    begin_new_life,
    for_clients,
    require_room,
    room,
    server_major,
)

DUMP = ("--format=custom", "--schema=ordinaut", "--no-password", "--lock-wait-timeout=60s")
RESTORE = (
    "--format=custom",
    "--schema=ordinaut",
    "--no-password",
    "--no-owner",
    "--no-privileges",
    "--single-transaction",
    "--exit-on-error",
)
PASSED_ON = ("HOME", "PG")
"""What libpq reads of the environment, so that the programs find what we find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A backup that was written."""

    file: Path
    size: int
    schema: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that was brought back; `migrated` says what the schema needed."""

    file: Path
    counts: Counts
    migrated: Sequence[str]


def back_up(settings: Settings, file: Path, *, force: bool = False) -> Saved:
    """Write everything that the database holds into `file` (mode 0600), whole or not at all.

    It is one moment of the database; the runtime may go on meanwhile.

    Raises:
        Conflict: the file is there already, and `force` was not given.
        InvalidInput: it cannot be written there.
        NotFound: there is no database, or nothing of Ordinaut in it.
        NotAvailable: the server is newer than the programs that come along.
        Unavailable: the database does not answer.
    """
    file = file.absolute()
    _check_target(file, force=force)
    with _database(settings) as url:
        schema = schema_state(url).applied
        if not schema:
            raise NotFound("The database holds nothing of Ordinaut: there is nothing to back up.")
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            _touch(unfinished)
            _run("pg_dump", url, [*DUMP, f"--file={unfinished}"], doing=f"write {file}")
            _check_target(file, force=force)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    return Saved(file=file, size=file.stat().st_size, schema=schema)


def restore(settings: Settings, file: Path) -> Restored:
    """Bring a backup into a home or database without tasks; all of it, or nothing changes.

    Queued and waiting runs are as they were; those that were leased go back to the queue, with
    no crash counted. Nothing starts before a runtime does.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is no whole backup of Ordinaut.
        Conflict: a runtime is up or there are tasks, or a newer version made the file.
        Unavailable: the database does not answer.
    """
    file = file.absolute()
    check_dump(file)
    with _alone(settings), _started(settings) as url:
        require_room(url)
        with room(url):
            _run("pg_restore", url, [*RESTORE, str(file)], doing=f"restore {file}")
            migrated = migrate(url)
            counts = begin_new_life(url)
    return Restored(file=file, counts=counts, migrated=migrated)


@contextmanager
def _database(settings: Settings) -> Generator[str, None, None]:
    """The database as it is: the one that is set, the runtime's, or the home's, started for us."""
    found = local.found(settings)
    url = settings.database_url or (found.database_url if found else None)
    if url:
        yield url
        return
    home = Home(settings.home)
    if not (postgres_folder(known_folder(home)) / "PG_VERSION").exists():
        raise NotFound(f"There is no database in {home.path}.", field="ORDINAUT_HOME")
    lock = claim_runtime(home)
    if lock is None:  # one starts in this very moment
        yield wait_ready(home).database_url or ""
        return
    with lock, _started(settings) as url:
        yield url


@contextmanager
def _alone(settings: Settings) -> Generator[FileLock, None, None]:
    """Hold the place of this home's runtime, so that none starts meanwhile."""
    lock = claim_runtime(Home(settings.home))
    if lock is None:
        raise Conflict(
            f"The runtime of {settings.home} is up. Nothing was changed.",
            hint="Stop it with `ordinaut-mcp down`, then call again.",
        )
    with lock:
        yield lock


@contextmanager
def _started(settings: Settings) -> Generator[str, None, None]:
    """The database that is set, or the home's own one; that is left as it was found."""
    if settings.database_url:
        yield settings.database_url
        return
    postgres = EmbeddedPostgres(Home(settings.home))
    ran = postgres.running()
    try:
        yield postgres.start()
    finally:
        if not ran:
            postgres.stop()


def _check_target(file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder.", field="FILE", hint="Give the name of a file.")
    if not force and os.path.lexists(file):
        raise Conflict(
            f"{file} is there already.", field="FILE", hint="Choose another name, or --force."
        )


def _touch(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise InvalidInput(
            f"{file.parent} cannot be written in: {error.strerror}.", field="FILE"
        ) from error


def _run(program: Program, url: str, arguments: Sequence[str], *, doing: str) -> None:
    where, secret = for_clients(url)
    inherited = {
        name: value for name, value in process_environment().items() if name.startswith(PASSED_ON)
    }
    ended = run_client(
        program,
        [f"--dbname={where}", *arguments],
        server=server_major(url),
        environment={**inherited, **secret},
    )
    if ended.code != 0:
        said = ended.output.strip()[-800:]
        raise OrdinautError(f"{program} could not {doing}; nothing was stored. It said:\n{said}")
