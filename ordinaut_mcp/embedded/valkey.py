"""The embedded Valkey of a home: start it, adopt it, stop it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ordinaut_mcp.embedded.binaries import MISSING_VALKEY, valkey_binary, valkey_comes_along
from ordinaut_mcp.embedded.disk import (
    disk_full,
    explaining,
    keep_small,
    tail,
    tells_full,
    write_private,
)
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.lock import holding
from ordinaut_mcp.embedded.owner import SYSTEM_FOLDER
from ordinaut_mcp.embedded.pids import (
    birth_mark,
    command_line,
    send,
    wait_gone,
    wait_until,
)
from ordinaut_mcp.embedded.place import Place, known_folder, settle, valkey_folder
from ordinaut_mcp.embedded.sockets import asked, known_socket_folder, socket_folder
from ordinaut_mcp.embedded.spawning import spawn
from ordinaut_mcp.embedded.valkey_settings import settings_text
from ordinaut_mcp.errors import Unavailable

SOCKET = "valkey.sock"
LOG_BYTES = 5 * 1024 * 1024
SILENT_SECONDS = 5.0
"""How long one that lives may say nothing before it counts as hung and is replaced."""


@dataclass(frozen=True, slots=True)
class LiveValkey:
    """A living one of ours, and the socket that it was told to listen on."""

    pid: int
    mark: str
    socket: Path


class EmbeddedValkey:
    """The one Valkey of a home. It outlives whoever starts it, and is never started twice.

    It has no port, only a unix socket in a folder of mode 0700, and keeps an append-only file.
    """

    def __init__(self, home: Home, *, system: Path = SYSTEM_FOLDER) -> None:
        self._home = home
        self._system = system

    def missing(self) -> str | None:
        """Why this platform has no embedded Valkey; None when it has one."""
        if sys.platform == "win32":  # pragma: no cover
            return MISSING_VALKEY
        return None if valkey_comes_along() else MISSING_VALKEY

    def running(self) -> bool:
        """Whether it lives, whoever started it; it makes and changes nothing."""
        return self._found() is not None

    def start(self, *, seconds: float = 30.0) -> str | None:
        """Start it, or adopt the one that runs; its URL once it answers.

        None where there is none for this platform: `missing()` says why.

        Raises:
            InvalidInput: the home cannot be used (field ORDINAUT_HOME).
            Unavailable: full disk, or it did not get ready in time; the message says why.
        """
        if self.missing() is not None:
            return None
        self._home.prepare()
        with holding(self._lock, patience=seconds):
            place = settle(self._home, system=self._system)
            socket = self._adopted() or self._started(place, seconds)
        return url_of(socket)

    def stop(self, *, seconds: float = 15.0) -> bool:
        """Stop it and wait for its end; False when it did not run.

        Raises:
            Unavailable: it would not end.
        """
        if not self.running():
            return False
        with holding(self._lock, patience=seconds):
            found = self._found()
            if found is not None:
                _end(found, seconds)
        return found is not None

    @property
    def _lock(self) -> Path:
        return self._home.run / "valkey.lock"

    @property
    def _pid_file(self) -> Path:
        return self._home.run / "valkey.json"

    def _found(self) -> LiveValkey | None:
        """By our own note of who was started, else by asking the socket who listens there."""
        noted = self._noted() or self._listening()
        settings = str(valkey_folder(known_folder(self._home)) / "valkey.conf")
        return noted if noted is not None and settings in command_line(noted.pid) else None

    def _noted(self) -> LiveValkey | None:
        try:
            entry: Any = json.loads(self._pid_file.read_text(encoding="utf-8"))
            noted = LiveValkey(int(entry["pid"]), str(entry["mark"]), Path(entry["socket"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return noted if birth_mark(noted.pid) == noted.mark else None

    def _listening(self) -> LiveValkey | None:
        """Its starter may have died before it had written the note."""
        folder = known_socket_folder(self._home)
        told = asked(folder / SOCKET, b"INFO server\r\n") if folder else None
        found = re.search(r"^process_id:(\d+)\r?$", told or "", re.MULTILINE)
        mark = birth_mark(int(found[1])) if found else None
        if folder is None or found is None or mark is None:
            return None
        return LiveValkey(int(found[1]), mark, folder / SOCKET)

    def _adopted(self) -> Path | None:
        found = self._found()
        if found is None:
            return None
        if wait_until(lambda: _answers(found.socket), seconds=SILENT_SECONDS):
            return found.socket
        _end(found, SILENT_SECONDS)
        return None

    def _started(self, place: Place, seconds: float) -> Path:
        place.private_folder(place.valkey)
        logs = place.private_folder(place.logs / "valkey")
        log = logs / "valkey.log"
        socket = socket_folder(place) / SOCKET
        command = self._configured(place, socket, log)
        why = self._spawned(command, place, socket, log=log, seconds=seconds)
        if why is not None and _is_damage(why) and _set_aside(place):
            why = self._spawned(command, place, socket, log=log, seconds=seconds)
        if why is not None:
            raise _not_ready(why, place)
        return socket

    def _configured(self, place: Place, socket: Path, log: Path) -> list[str]:
        binary = valkey_binary(place.owner, system=self._system)
        settings = place.valkey / "valkey.conf"
        text = settings_text(folder=place.valkey, socket=socket, log=log)
        with explaining(place.valkey):
            keep_small(log, at_most=LOG_BYTES)
            socket.unlink(missing_ok=True)
            write_private(settings, text, owner=place.owner.ids)
        return [str(binary), str(settings)]

    def _spawned(
        self, command: list[str], place: Place, socket: Path, *, log: Path, seconds: float
    ) -> str | None:
        """None once it answers, else why it does not."""
        since = log.stat().st_size if log.exists() else 0
        start_log = self._home.logs / "valkey-start.log"
        pid = spawn(command, log=start_log, owner=place.owner, fresh_log=True)
        mark = birth_mark(pid) or ""
        entry = {"pid": pid, "mark": mark, "socket": str(socket)}
        with explaining(self._pid_file):
            write_private(self._pid_file, json.dumps(entry) + "\n")
        wait_until(lambda: _answers(socket) or birth_mark(pid) != mark, seconds=seconds)
        if birth_mark(pid) == mark and _answers(socket):
            return None
        return "\n".join([tail(start_log), tail(log, since=since)]).strip()


def url_of(socket: Path) -> str:
    """The redis URL of this socket, as redis-py reads it."""
    return f"unix://{quote(str(socket))}?db=0"


def _answers(socket: Path) -> bool:
    return asked(socket, b"PING\r\n") == "+PONG\r\n"


def _end(found: LiveValkey, seconds: float) -> None:
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        if not send(found.pid, found.mark, number):
            return
        if wait_gone(found.pid, found.mark, seconds=patience):
            return
    raise Unavailable(f"Valkey (process {found.pid}) does not end")


def _is_damage(why: str) -> bool:
    return "Bad file format reading the append only file" in why


def _set_aside(place: Place) -> bool:
    """Keep one damaged append-only file for looking at: all that it held is in PostgreSQL."""
    found, aside = place.valkey / "appendonlydir", place.valkey / "appendonlydir.damaged"
    if not found.is_dir():
        return False
    with explaining(place.valkey):
        if aside.exists():
            shutil.rmtree(aside)
        found.rename(aside)
    return True


def _not_ready(why: str, place: Place) -> Unavailable:
    if tells_full(why):
        return disk_full(place.folder)
    return Unavailable(
        f"Valkey did not start: {why[-600:]}",
        hint="Mend what the message names, or set ORDINAUT_REDIS_URL.",
    )
