"""ORDINAUT_HOME: the folder that holds everything of one local runtime."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ordinaut_mcp.embedded.disk import FIELD, explaining, make_folder
from ordinaut_mcp.errors import InvalidInput, Unavailable

PRIVATE = 0o700
PASSABLE = 0o711
"""As root the servers run as a system account, which must pass through to its own folders."""

LONGEST = 900
"""PostgreSQL's own limit for paths is 1,024 bytes, file names below the home included."""

SPARE_BYTES = 1024 * 1024


def running_as_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


@dataclass(frozen=True, slots=True)
class Home:
    """One home and the names of what lies in it; `prepare()` makes it, nothing else does.

    `path` may be relative, may hold spaces and any letters, and is kept absolute.

    Raises:
        InvalidInput: the path is empty, longer than 900 bytes, or holds control characters.
    """

    path: Path

    def __init__(self, path: Path | str) -> None:
        text = os.fspath(path)
        if not text or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise InvalidInput(
                "ORDINAUT_HOME is empty or holds control characters",
                field=FIELD,
                hint="Give the path of a folder.",
            )
        absolute = Path(text).absolute()
        if len(os.fsencode(absolute)) > LONGEST:
            raise InvalidInput(
                f"ORDINAUT_HOME is longer than {LONGEST} bytes",
                field=FIELD,
                hint="Choose a shorter path.",
            )
        object.__setattr__(self, "path", Path(os.path.normpath(absolute)))

    @property
    def settings_file(self) -> Path:
        return self.path / "ordinaut.toml"

    @property
    def tools_file(self) -> Path:
        return self.path / "tools.json"

    @property
    def info_file(self) -> Path:
        """What the live runtime says about itself (see info.py)."""
        return self.path / "runtime.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one local runtime as long as it lives."""
        return self.path / "runtime.lock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def runtime_log(self) -> Path:
        return self.logs / "runtime.log"

    @property
    def run(self) -> Path:
        """Small files about what runs now; nothing in it outlives its meaning."""
        return self.path / "run"

    @property
    def elsewhere_file(self) -> Path:
        """Present when the servers' folders could not be kept in the home (see place.py)."""
        return self.path / "servers.json"

    def prepare(self) -> None:
        """Make the home and check that it can be written in; doing it again changes nothing.

        Folders that are made get mode 0700 (as root 0711, so that the system account can pass
        to its database); the mode of a folder that exists already is never touched.

        Raises:
            InvalidInput: the home cannot be written in, or a file is in the way.
            Unavailable: the disk is full or failing.
        """
        with explaining(self.path):
            make_folder(self.path, PASSABLE if running_as_root() else PRIVATE)
            make_folder(self.logs, PASSABLE if running_as_root() else PRIVATE)
            make_folder(self.run, PRIVATE)
            self._try_writing()

    def _try_writing(self) -> None:
        probe = self.run / f".probe.{os.getpid()}"
        try:
            probe.write_bytes(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)
        if shutil.disk_usage(self.path).free < SPARE_BYTES:
            raise Unavailable(
                f"the disk that holds {self.path} is full",
                field=FIELD,
                hint="Free some space or choose another ORDINAUT_HOME.",
            )
