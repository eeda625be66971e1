"""The product as its users meet it: one home, its commands, its clients, its database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.living import end, living
from tests.acceptance.raw import RawServer, raw_server
from tests.acceptance.session import Era, Session, session_over
from tests.servers import ECHO, EVIL, entry

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Product:
    """One ORDINAUT_HOME under a folder of its own, and every way into it."""

    def __init__(self, folder: Path, name: str = "home", **settings: str) -> None:
        self.folder = folder
        self.home = folder / name
        self.calls = folder / "calls.jsonl"
        self._settings = settings
        self._numbers = count(1)

    def environment(self, **settings: str) -> dict[str, str]:
        """This machine's environment, with no settings of Ordinaut but ours."""
        kept = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        ours = {"home": str(self.home), **self._settings, **settings}
        return {**kept, **{f"ORDINAUT_{name.upper()}": value for name, value in ours.items()}}

    def command(self, *words: str, **settings: str) -> Outcome:
        """Run one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "ordinaut_mcp", *words],
            env=self.environment(**settings),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def session(self, *, era: Era = "auto", **settings: str) -> Generator[Session, None, None]:
        """A client of a stdio server of its own, open for the length of the block."""
        log = self._log()
        command = [sys.executable, "-m", "ordinaut_mcp", "serve"]
        with session_over(command, self.environment(**settings), era=era, log=log) as opened:
            yield opened

    @contextmanager
    def raw(self, **settings: str) -> Generator[RawServer, None, None]:
        """A stdio server that is spoken to in bytes."""
        with raw_server(self.environment(**settings), log=self._log()) as opened:
            yield opened

    def status(self) -> dict[str, Any]:
        """`status --json`."""
        return self.command("status", "--json").facts

    @contextmanager
    def database(self) -> Generator[psycopg.Connection[Any], None, None]:
        """A connection to the runtime's own database, around everything of ours."""
        with psycopg.connect(self.status()["database_url"], autocommit=True) as connection:
            yield connection

    def tools(self, servers: Mapping[str, Any]) -> None:
        """Write the tools file."""
        self.home.mkdir(mode=0o755, exist_ok=True)
        text = json.dumps({"mcpServers": servers}, indent=2)
        (self.home / "tools.json").write_text(text, encoding="utf-8")

    def echo(self) -> dict[str, Any]:
        """The entry of a tool server that writes down each call of `count`."""
        return entry(ECHO, env={"COUNT_FILE": str(self.calls)})

    def evil(self) -> dict[str, Any]:
        """The entry of a hostile tool server."""
        return entry(EVIL, env={"PIDS_FILE": str(self.folder / "pids")})

    def counted(self, mark: str) -> list[str]:
        """The idempotency keys of the calls of `echo.count` with this mark, in order."""
        if not self.calls.exists():
            return []
        calls = [json.loads(line) for line in self.calls.read_text("utf-8").splitlines()]
        return [call["key"] for call in calls if call["args"].get("mark") == mark]

    @property
    def runtime_log(self) -> str:
        """What the runtime has said so far."""
        path = self.home / "logs" / "runtime.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _log(self) -> Path:
        return self.folder / f"client-{next(self._numbers)}.log"


def _is_setting(name: str) -> bool:
    return name.startswith("ORDINAUT_") or name == "TELEGRAM_OUTBOX"


@contextmanager
def installed(name: str = "home", **settings: str) -> Generator[Product, None, None]:
    """A product in a short folder; at the end it is down and nothing of it is left running."""
    # As root the servers run as a system account, which must pass through this folder.
    folder = Path(tempfile.mkdtemp(prefix="ord-", dir="/tmp"))
    folder.chmod(0o755)
    product = Product(folder, name, **settings)
    try:
        yield product
        assert product.command("down").code == 0
        assert living(str(folder)) == {}
    finally:
        end(living(str(folder)))
        shutil.rmtree(folder, ignore_errors=True)
