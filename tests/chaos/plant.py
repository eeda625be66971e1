"""The ground of a campaign: a real PostgreSQL, a real Valkey, tool servers, one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.postgres_settings import SUPERUSER
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.store.migrate import migrate
from tests.acceptance.living import end, living
from tests.chaos.audit import AUDIT
from tests.moving import MOVABLE

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "tests" / "chaos" / "servers" / "ledger.py"


class Plant:
    """Servers that can be stopped, killed and started again, always at the same addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.jsonl"
        self._tools = folder / "tools.json"
        home = Home(folder / "home")
        self._postgres, self._valkey = EmbeddedPostgres(home), EmbeddedValkey(home)
        self._valkey_note = home.run / "valkey.json"
        self.database_url = self._postgres.start()
        self.redis_url = self._valkey.start() or ""
        self._prepare()

    def _prepare(self) -> None:
        # An immediate stop is no power cut: what was written stays, synced or not. Commits must
        # be written, though.
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        migrate(self.database_url)
        with psycopg.connect(self.database_url) as connection:
            connection.execute(MOVABLE)
            connection.execute(AUDIT)
        entry = {
            "command": sys.executable,
            "args": [str(LEDGER)],
            "env": {"LEDGER": str(self.ledger), "PYTHONPATH": str(ROOT)},
        }
        servers: dict[str, Any] = {"ledger": entry, "fragile": entry}
        self._tools.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")

    @property
    def admin_url(self) -> str:
        """For looking and for harm: nothing that the product has holds it up."""
        return make_conninfo(self.database_url, user=SUPERUSER, application_name="chaos")

    def environment(self, place: str, who: str, lease_seconds: float) -> dict[str, str]:
        """What a runtime process of ours runs with, on a host of its own as it were.

        `who` is in each of its writes.
        """
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("ORDINAUT_")
        }
        options = quote(f"-c chaos.who={who}")
        return {
            **kept,
            "ORDINAUT_HOME": str(self.folder / place),
            "ORDINAUT_TOOLS_FILE": str(self._tools),
            "ORDINAUT_DATABASE_URL": f"{self.database_url}&options={options}",
            "ORDINAUT_REDIS_URL": self.redis_url,
            "ORDINAUT_LEASE_SECONDS": str(lease_seconds),
            "ORDINAUT_WORKER_SLOTS": "8",
            "ORDINAUT_TIMEZONE": "Europe/Chisinau",
        }

    def stop_postgres(self) -> None:
        """At once: no goodbye, and a recovery at the next start."""
        self._postgres.stop("immediate")

    def start_postgres(self) -> None:
        """Start it, or find that it runs."""
        self._postgres.start()

    def kill_valkey(self) -> None:
        """SIGKILL; what its append-only file has not got yet is lost."""
        pid = json.loads(self._valkey_note.read_text(encoding="utf-8"))["pid"]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def flush_valkey(self) -> None:
        """FLUSHALL."""
        import redis

        client = redis.Redis.from_url(self.redis_url)  # pyright: ignore[reportUnknownMemberType]
        try:
            client.flushall()  # pyright: ignore[reportUnknownMemberType]
        finally:
            client.close()

    def start_valkey(self) -> None:
        """Start it, or find that it runs."""
        self._valkey.start()

    def children(self) -> dict[int, str]:
        """The tool servers that run now."""
        return {pid: text for pid, text in living(str(self.folder)).items() if str(LEDGER) in text}

    def stop(self) -> None:
        """Both servers, for good."""
        self._postgres.stop("immediate")
        self._valkey.stop()


@contextmanager
def planted() -> Generator[Plant, None, None]:
    """A plant in a short folder; at the end nothing of it is left running."""
    folder = Path(tempfile.mkdtemp(prefix="ord-chaos-", dir="/tmp"))
    folder.chmod(0o755)
    plant = Plant(folder)
    try:
        yield plant
    finally:
        plant.stop()
        end(living(str(folder)))
        shutil.rmtree(folder, ignore_errors=True)
