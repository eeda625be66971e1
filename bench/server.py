"""The one embedded PostgreSQL of a run of the bench, with a fresh database for each measure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.store.migrate import migrate

TEMPLATE = "bench_template"


class OneServer:
    """PostgreSQL as the product starts it: nothing is switched off or tuned for the bench."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._numbers = count(1)
        self.folder = folder
        with self._admin() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        migrate(named(url, TEMPLATE))

    @contextmanager
    def database(self, *, migrated: bool = True) -> Generator[str, None, None]:
        """The URL of a fresh database that is dropped at the end of the block."""
        name = sql.Identifier(plain := f"bench_{next(self._numbers)}")
        source = sql.Identifier(TEMPLATE if migrated else "template0")
        with self._admin() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, source))
            try:
                yield named(self._url, plain)
            finally:
                self._drop(admin, name)

    def version(self) -> str:
        """PostgreSQL's own."""
        with self._admin() as admin:
            return str(admin.info.parameter_status("server_version"))

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self._url, autocommit=True)

    def _drop(self, admin: psycopg.Connection, name: sql.Identifier) -> None:
        try:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        except psycopg.Error:
            return  # autovacuum holds it: the whole server is thrown away at the end


def named(url: str, database: str) -> str:
    """The same server's URL for another database; a URL, as not every peer takes key=value."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


@contextmanager
def one_server() -> Generator[OneServer, None, None]:
    """Start it in a folder of its own that the system account may pass through."""
    folder = new_folder()
    home = Home(folder / "server")
    home.prepare()
    postgres = EmbeddedPostgres(home)
    try:
        yield OneServer(postgres.start(), folder)
    finally:
        postgres.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    """A short folder that the database's account may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="ord-b-", dir=tempfile.gettempdir()))
    folder.chmod(0o755)
    return folder
