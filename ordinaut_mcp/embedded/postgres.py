"""The embedded PostgreSQL of a home: start it, adopt it, stop it."""

from __future__ import annotations

import re
import signal
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from ordinaut_mcp.embedded.binaries import postgres_binaries
from ordinaut_mcp.embedded.cluster import ensure_cluster
from ordinaut_mcp.embedded.disk import disk_full, explaining, tail, tells_full
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.lock import holding
from ordinaut_mcp.embedded.owner import NO_WINDOWS_YET, SYSTEM_FOLDER
from ordinaut_mcp.embedded.pids import birth_mark, send, wait_gone, wait_until
from ordinaut_mcp.embedded.place import (
    Place,
    known_folder,
    known_owner,
    postgres_folder,
    settle,
)
from ordinaut_mcp.embedded.postgres_settings import DATABASE, ROLE, write_settings
from ordinaut_mcp.embedded.postmaster import Postmaster, find_postmaster, pid_file
from ordinaut_mcp.embedded.sockets import asked, socket_folder
from ordinaut_mcp.embedded.spawning import spawn
from ordinaut_mcp.errors import Unavailable

Mode = Literal["smart", "fast", "immediate"]

LEFTOVER_SECONDS = 10.0
"""How long the children of a killed PostgreSQL may take to end before a new one can start."""

AT_ONCE_SECONDS = 10.0
"""How long an `immediate` stop may take."""

PROTOCOL = 3 << 16
"""Version 3.0 of PostgreSQL's protocol, as its StartupMessage writes it."""

if sys.platform == "win32":  # pragma: no cover
    SIGNALS: dict[Mode, signal.Signals] = {}
else:
    SIGNALS: dict[Mode, signal.Signals] = {
        "smart": signal.SIGTERM,
        "fast": signal.SIGINT,
        "immediate": signal.SIGQUIT,
    }


class EmbeddedPostgres:
    """The one PostgreSQL of a home. It outlives whoever starts it, and is never started twice.

    It listens on a unix socket in a folder of mode 0700 only, and lets in its owner and root.
    """

    def __init__(self, home: Home, *, system: Path = SYSTEM_FOLDER) -> None:
        self._home = home
        self._system = system

    def running(self) -> bool:
        """Whether it lives, whoever started it; it makes and changes nothing."""
        return self._found() is not None

    def start(self, *, seconds: float = 60.0) -> str:
        """Start it, or adopt the one that runs; its libpq URL once it takes connections.

        Raises:
            InvalidInput: the home cannot be used (field ORDINAUT_HOME).
            NotAvailable: this platform has no binaries, or the database is another version's.
            Unavailable: full disk, or it did not get ready in time; the message says why.
        """
        if sys.platform == "win32":  # pragma: no cover
            raise NO_WINDOWS_YET
        self._home.prepare()
        with holding(self._lock, patience=seconds):
            place = settle(self._home, system=self._system)
            sockets = self._adopted(place, seconds) or self._started(place, seconds)
        return url_of(sockets)

    def stop(self, mode: Mode = "fast", *, seconds: float = 30.0) -> bool:
        """Stop it and wait for its end; False when it did not run.

        `smart` waits for its clients, `fast` ends their sessions, `immediate` leaves a recovery
        to the next start. What takes longer than `seconds` is stopped at once (`immediate`).

        Raises:
            Unavailable: it would not end.
        """
        if not self.running():
            return False
        with holding(self._lock, patience=seconds):
            found = self._found()
            if found is not None:
                _end(found, mode, seconds)
        return found is not None

    @property
    def _lock(self) -> Path:
        return self._home.run / "postgres.lock"

    def _found(self) -> Postmaster | None:
        database = postgres_folder(known_folder(self._home))
        owner = known_owner(database)
        return find_postmaster(database, owner) if owner else None

    def _adopted(self, place: Place, seconds: float) -> Path | None:
        """The sockets of the one that runs and can be reached; one that cannot is stopped."""
        found = find_postmaster(place.postgres, place.owner)
        if found is None:
            return None
        if found.status == "stopping":
            if not wait_gone(found.pid, found.mark, seconds=seconds):
                _end(found, "immediate", seconds)
            return None
        if _wait_ready(place, found.pid, found.mark, seconds) == "slow":
            raise _not_ready("slow", "it was left behind and still recovers", place, seconds)
        if (ready := find_postmaster(place.postgres, place.owner)) is None:
            return None
        if ready.socket is not None and _accepts(ready.socket):
            return ready.sockets
        _end(ready, "fast", seconds)
        return None

    def _started(self, place: Place, seconds: float) -> Path:
        binaries = postgres_binaries(place.owner, system=self._system)
        ensure_cluster(place, binaries)
        with explaining(place.logs):
            logs = place.private_folder(place.logs / "postgres")
        sockets = socket_folder(place)
        write_settings(place, database=place.postgres, sockets=sockets, logs=logs)
        command = [str(binaries / "postgres"), "-D", str(place.postgres)]
        deadline = time.monotonic() + seconds
        leftovers_until = time.monotonic() + LEFTOVER_SECONDS
        while True:
            since = {log: log.stat().st_size for log in logs.glob("*.log")}
            pid = self._spawned(command, place)
            mark = birth_mark(pid) or ""
            became = _wait_ready(place, pid, mark, max(0.1, deadline - time.monotonic()))
            if became == "ready":
                return sockets
            if became == "dead" and (other := self._adopted(place, seconds)) is not None:
                return other  # one whose starter died before it had written down who it is
            why = self._reason(logs, since)
            if "is still in use" not in why or time.monotonic() > leftovers_until:
                raise _not_ready(became, why, place, seconds)

    def _spawned(self, command: list[str], place: Place) -> int:
        # Nobody of ours lives here, but PostgreSQL would take any living process for one. Two on
        # one folder stay impossible: the shared memory of the folder is checked apart.
        if _pid_is_foreign(place):
            pid_file(place.postgres).unlink(missing_ok=True)
        return spawn(command, log=self._start_log, owner=place.owner, fresh_log=True)

    @property
    def _start_log(self) -> Path:
        return self._home.logs / "postgres-start.log"

    def _reason(self, logs: Path, since: Mapping[Path, int]) -> str:
        """What PostgreSQL itself said: first to us, later (once it logs by itself) in its log."""
        grown = [log for log in logs.glob("*.log") if log.stat().st_size > since.get(log, 0)]
        later = "\n".join(tail(log, since=since.get(log, 0)) for log in grown).splitlines()
        first = tail(self._start_log).splitlines()
        telling = [line for line in later if re.search(r"FATAL|PANIC|ERROR|could not", line)]
        return "\n".join(telling[-4:] or first[-4:])


def url_of(sockets: Path) -> str:
    """The libpq URL of the database behind these sockets."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(sockets), safe='')}"


def _wait_ready(place: Place, pid: int, mark: str, seconds: float) -> str:
    """`ready`, `dead`, or `slow` when neither came within `seconds`."""
    seen = "slow"

    def decided() -> bool:
        nonlocal seen
        found = find_postmaster(place.postgres, place.owner)
        if found is not None and found.pid == pid and found.status == "ready":
            seen = "ready"
        elif birth_mark(pid) != mark:
            seen = "dead"
        return seen != "slow"

    wait_until(decided, seconds=seconds)
    return seen


def _accepts(socket: Path) -> bool:
    """Whether it lets us in; one that was just told to stop still listens, and refuses."""
    parts = f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
    hello = struct.pack("!ii", 8 + len(parts), PROTOCOL) + parts
    return (asked(socket, hello) or "").startswith("R")


def _pid_is_foreign(place: Place) -> bool:
    try:
        first = pid_file(place.postgres).read_text(encoding="utf-8").split("\n", 1)[0]
        return birth_mark(int(first)) is not None
    except (OSError, ValueError):
        return False


def _end(found: Postmaster, mode: Mode, seconds: float) -> None:
    steps: list[tuple[Mode, float]] = [(mode, seconds), ("immediate", AT_ONCE_SECONDS)]
    for how, patience in steps:
        if not send(found.pid, found.mark, SIGNALS[how]):
            return
        if wait_gone(found.pid, found.mark, seconds=patience):
            return
    raise Unavailable(
        f"PostgreSQL (process {found.pid}) does not end",
        hint="Look at its log in the logs folder of ORDINAUT_HOME.",
    )


def _not_ready(became: str, why: str, place: Place, seconds: float) -> Unavailable:
    if tells_full(why):
        return disk_full(place.folder)
    if became == "slow":
        return Unavailable(
            f"PostgreSQL was not ready after {seconds:.0f} s: {why}",
            hint="It goes on by itself (a recovery takes time): try again in a moment.",
            retry_after=10,
        )
    return Unavailable(
        f"PostgreSQL did not start: {why}", hint="Mend what the message names and start again."
    )
