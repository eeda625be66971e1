"""The one detached local runtime of a home: bring it up, wait for it, stop it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ordinaut_mcp.embedded.disk import explaining, keep_small, tail, write_private
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo, read_info
from ordinaut_mcp.embedded.lock import FileLock, holder, holding
from ordinaut_mcp.embedded.pids import POLL_SECONDS, birth_mark, send, wait_gone
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.spawning import spawn
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.errors import Conflict, Unavailable

LOG_BYTES = 5 * 1024 * 1024
CLAIM_SECONDS = 2.0
STOPPING_SECONDS = 60.0


def claim_runtime(home: Home, *, patience: float = STOPPING_SECONDS) -> FileLock | None:
    """Become the runtime of this home: the held lock, or None when there is one already.

    The runtime calls it first and keeps the lock until it ends; whoever gets None exits with 0.
    A runtime that is stopping is waited for, at most `patience` seconds.

    Raises:
        InvalidInput, Unavailable: the home cannot be used.
    """
    home.prepare()
    lock = FileLock(home.lock_file)
    deadline = time.monotonic() + patience
    # The holder may not have said yet what it is, or may have died in this very moment.
    undecided_until = time.monotonic() + CLAIM_SECONDS
    while not lock.acquire():
        info = read_info(home)
        stopping = info is not None and info.state == "stopping"
        if time.monotonic() >= (deadline if stopping else undecided_until):
            return None
        if info is not None and not stopping:
            return None
        time.sleep(POLL_SECONDS)
    return lock


def ensure_runtime(home: Home, *, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start the detached runtime unless one lives or is just being born; it returns at once.

    `command` is what becomes the runtime (it must call `claim_runtime`); it gets exactly
    `environment`, the home as its folder, and logs/runtime.log for all that it prints.

    Raises:
        InvalidInput, Unavailable: the home cannot be used, or the command cannot be started.
    """
    if _lives(home):
        return
    home.prepare()
    with holding(home.run / "spawn.lock", patience=10.0):
        if _lives(home) or _born(home) is not None:
            return
        with explaining(home.logs):
            keep_small(home.runtime_log, at_most=LOG_BYTES)
            since = home.runtime_log.stat().st_size if home.runtime_log.exists() else 0
        pid = spawn(command, log=home.runtime_log, environment=environment, folder=home.path)
        _note_birth(home, pid, since)


def wait_ready(home: Home, *, seconds: float = 60.0) -> RuntimeInfo:
    """Wait until the runtime of this home is ready, and say what it is.

    Raises:
        Unavailable: it died during its start (with the end of its log), none was started, or
            it was not ready within `seconds`.
    """
    deadline = time.monotonic() + seconds
    nobody_until = time.monotonic() + CLAIM_SECONDS
    while True:
        info = read_info(home)
        if info is not None and info.state == "ready":
            return info
        now = time.monotonic()
        if info is not None or holder(home.lock_file) or _born(home):
            nobody_until = now + 0.3  # between two of its signs of life it may show none
        if now >= min(deadline, nobody_until):
            raise _not_ready(home, slow=now >= deadline, seconds=seconds)
        time.sleep(POLL_SECONDS)


def stop_runtime(home: Home, *, seconds: float = 60.0) -> bool:
    """Ask the runtime to stop (SIGTERM) and wait for its end; False when none lived.

    Nothing else is ever signalled: the process id counts only with its birth mark.

    Raises:
        NotAllowed: it belongs to another account.
        Unavailable: it still lived after `seconds`; it goes on stopping.
    """
    info = read_info(home)
    found = (info.pid, info.mark) if info else holder(home.lock_file) or _born(home)
    if found is None or not send(*found, signal.SIGTERM):
        return False
    if not wait_gone(*found, seconds=seconds):
        raise Unavailable(
            f"the runtime (process {found[0]}) is still finishing its work after {seconds:.0f} s",
            hint="Wait, and ask again with `ordinaut-mcp status`.",
            retry_after=10,
        )
    return True


def stop_leftovers(home: Home) -> list[str]:
    """Stop the servers that a dead runtime left behind; the names of those that ran.

    Raises:
        Conflict: a runtime lives, and they are its own.
        Unavailable: one of them would not end.
    """
    if _lives(home) or holder(home.lock_file):
        raise Conflict("the runtime lives", hint="Stop it with `ordinaut-mcp down`.")
    valkey = ["valkey"] if EmbeddedValkey(home).stop() else []
    return valkey + (["postgres"] if EmbeddedPostgres(home).stop() else [])


def _lives(home: Home) -> bool:
    """A runtime that stops is as good as gone: the next one waits for its end in the claim."""
    info = read_info(home)
    if info is not None:
        return info.state != "stopping"
    return holder(home.lock_file) is not None


def _born(home: Home) -> tuple[int, str] | None:
    """The one that was spawned last, if it lives and has not become a stopping runtime."""
    try:
        entry: Any = json.loads((home.run / "spawned.json").read_text(encoding="utf-8"))
        pid, mark = int(entry["pid"]), str(entry["mark"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    info = read_info(home)
    if info is not None and info.pid == pid:
        return None
    return (pid, mark) if birth_mark(pid) == mark else None


def _note_birth(home: Home, pid: int, since: int) -> None:
    entry = {"pid": pid, "mark": birth_mark(pid), "log_from": since}
    with explaining(home.run):
        write_private(home.run / "spawned.json", json.dumps(entry) + "\n")


def _not_ready(home: Home, *, slow: bool, seconds: float) -> Unavailable:
    try:
        entry: Any = json.loads((home.run / "spawned.json").read_text(encoding="utf-8"))
        since = int(entry["log_from"])
    except (OSError, ValueError, TypeError, KeyError):
        since = 0
    said = tail(home.runtime_log, since=since)
    what = f"is not ready after {seconds:.0f} s" if slow else "is not running"
    return Unavailable(
        f"the local runtime {what}" + (f"; its log ends with:\n{said}" if said else ""),
        hint=f"Its log is {home.runtime_log}; `ordinaut-mcp doctor` looks for the cause.",
        retry_after=5,
    )
