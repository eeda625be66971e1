"""Telling whether a process id still means the one that it was written down for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ordinaut_mcp.errors import NotAllowed, NotAvailable

PROC = Path("/proc")
POLL_SECONDS = 0.015


def birth_mark(pid: int) -> str | None:
    """What tells this holder of `pid` from any later one; None when it is dead (or a zombie).

    On Linux the boot and the ticks since it (proc(5), field 22), elsewhere the start time of ps.
    """
    if sys.platform == "win32":  # pragma: no cover
        raise NotAvailable(
            "the local runtime does not run on Windows yet",
            hint="Set ORDINAUT_DATABASE_URL and start `ordinaut-mcp runtime` yourself.",
        )
    if pid <= 0:
        return None
    return _mark_from_proc(pid) if (PROC / "self/stat").exists() else _mark_from_ps(pid)


def _mark_from_proc(pid: int) -> str | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot}:{fields[18]}"


def _mark_from_ps(pid: int) -> str | None:
    answer = _ask_ps(pid, "state=", "lstart=")
    state, _, born = answer.strip().partition(" ")
    return None if not born or state.startswith("Z") else " ".join(born.split())


def command_line(pid: int) -> str:
    """The command that `pid` was started with, words parted by NUL or space; empty when unknown."""
    try:
        return os.fsdecode((PROC / str(pid) / "cmdline").read_bytes())
    except OSError:
        return "" if (PROC / "self/stat").exists() else _ask_ps(pid, "command=").strip()


def account_id(pid: int) -> int | None:
    """The effective user id that `pid` runs with; None when it is gone."""
    try:
        return (PROC / str(pid)).stat().st_uid
    except OSError:
        answer = "" if (PROC / "self/stat").exists() else _ask_ps(pid, "uid=").strip()
    return int(answer) if answer else None


def _ask_ps(pid: int, *columns: str) -> str:
    # one -o for each column: to BSD's ps all that follows the first "=" is a heading
    chosen = [word for column in columns for word in ("-o", column)]
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command and a number
            ["/bin/ps", "-ww", *chosen, "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=10,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(answer.stdout)


def send(pid: int, mark: str, number: signal.Signals) -> bool:
    """Signal exactly the one that `mark` was read from; False when it is gone.

    Where the kernel has pidfds, the id cannot be reused between the look and the signal.

    Raises:
        NotAllowed: it belongs to another account.
    """
    descriptor = _pidfd(pid)
    try:
        if birth_mark(pid) != mark:
            return False
        if sys.platform == "linux" and descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise NotAllowed(
            f"process {pid} belongs to another account", hint="Run the command as its owner."
        ) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return True


def _pidfd(pid: int) -> int | None:
    """None where the kernel has none, or a sandbox forbids them."""
    try:
        return os.pidfd_open(pid) if sys.platform == "linux" else None
    except OSError:
        return None


def wait_until(done: Callable[[], bool], *, seconds: float) -> bool:
    """Ask `done` every few milliseconds; False when it was still not so after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_gone(pid: int, mark: str, *, seconds: float) -> bool:
    """Wait until the one that `mark` was read from has ended."""
    return wait_until(lambda: birth_mark(pid) != mark, seconds=seconds)
