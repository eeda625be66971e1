"""Which processes a home has running, and the end of those that a failed test left."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def living(mark: str) -> dict[int, str]:
    """The processes that name this folder in their command or environment, by their id."""
    texts = _from_proc() if (PROC / "self/environ").exists() else _from_ps()
    return {pid: text for pid, text in texts if mark in text and pid != os.getpid()}


def end(pids: Iterable[int]) -> None:
    """Kill these, one by one."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _from_proc() -> Iterable[tuple[int, str]]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                yield int(folder.name), said.replace(b"\0", b" ").decode(errors="replace")


def _from_ps() -> Iterable[tuple[int, str]]:
    command = ["ps", "-axEww", "-o", "pid=,command="]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    for line in said.stdout.splitlines():
        pid, _, text = line.strip().partition(" ")
        yield int(pid), text
