"""The settings of the embedded Valkey."""

from __future__ import annotations

from pathlib import Path

LINES = (
    "port 0",
    "unixsocketperm 700",
    "daemonize no",
    "supervised no",
    "set-proc-title no",  # its command line is how we know it again
    "databases 1",
    "appendonly yes",
    "appendfsync everysec",
    "aof-load-truncated yes",
    'save ""',
    "maxmemory-policy noeviction",  # a stream entry is work: never drop one in silence
    "enable-debug-command no",
    "enable-module-command no",
    "loglevel notice",
    "always-show-logo no",
)


def settings_text(*, folder: Path, socket: Path, log: Path) -> str:
    """The text of valkey.conf for a server that keeps its files in `folder`."""
    places = {"dir": folder, "unixsocket": socket, "logfile": log}
    return "\n".join([*LINES, *(f"{name} {quoted(path)}" for name, path in places.items())]) + "\n"


def quoted(path: Path) -> str:
    r"""A path as valkey.conf wants it: in double quotes, with `\"` and `\\` inside."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
