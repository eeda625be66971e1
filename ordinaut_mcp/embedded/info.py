"""What the live runtime says about itself: runtime.json."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ordinaut_mcp.embedded.disk import explaining, write_private
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.pids import birth_mark

State = Literal["starting", "ready", "stopping"]
STATES: tuple[State, ...] = ("starting", "ready", "stopping")


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """A live runtime. `mark` (see `birth_mark`) keeps a reused pid from passing for it.

    The URLs may hold passwords: the file is readable by its owner alone.
    """

    pid: int
    mark: str
    started_at: datetime
    version: str
    home: str
    state: State = "starting"
    database_url: str | None = None
    redis_url: str | None = None
    http_url: str | None = None
    roles: tuple[str, ...] = ()
    tzdata: str | None = None

    @classmethod
    def of_this_process(
        cls, home: Home, *, version: str, roles: Sequence[str] = (), tzdata: str | None = None
    ) -> RuntimeInfo:
        """The caller's own entry, `starting`; `dataclasses.replace` brings it forward."""
        pid = os.getpid()
        return cls(
            pid=pid,
            mark=birth_mark(pid) or "",
            started_at=datetime.now(UTC),
            version=version,
            home=str(home.path),
            roles=tuple(roles),
            tzdata=tzdata,
        )

    def becoming(self, state: State) -> RuntimeInfo:
        return replace(self, state=state)


def write_info(home: Home, info: RuntimeInfo) -> None:
    """Publish `info` in one step; a reader sees the old entry or the new one, never a part.

    Raises:
        InvalidInput, Unavailable: the home cannot be written in, or the disk is full.
    """
    entry = asdict(info) | {"started_at": info.started_at.isoformat(), "roles": list(info.roles)}
    with explaining(home.info_file):
        write_private(home.info_file, json.dumps(entry, ensure_ascii=False, indent=2) + "\n")


def clear_info(home: Home, info: RuntimeInfo) -> None:
    """Take the entry away, if it is still this runtime's."""
    found = _read(home)
    if found is not None and (found.pid, found.mark) == (info.pid, info.mark):
        home.info_file.unlink(missing_ok=True)


def read_info(home: Home) -> RuntimeInfo | None:
    """The runtime that lives in this home; None when there is none, or it died, or its pid is
    another's by now."""
    info = _read(home)
    return info if info is not None and birth_mark(info.pid) == info.mark else None


def _read(home: Home) -> RuntimeInfo | None:
    try:
        entry = json.loads(home.info_file.read_text(encoding="utf-8"))
        return _parsed(entry)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # written by something else: then nothing of ours lives behind it


def _parsed(entry: Any) -> RuntimeInfo:
    parts: dict[str, Any] = {name: entry[name] for name in RuntimeInfo.__dataclass_fields__}
    if parts["state"] not in STATES or type(parts["pid"]) is not int:
        raise ValueError(parts)
    parts["started_at"] = datetime.fromisoformat(parts["started_at"])
    parts["roles"] = tuple(parts["roles"])
    return RuntimeInfo(**parts)
