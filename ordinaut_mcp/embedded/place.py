"""Where the servers' folders of a home lie, and whose they are."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordinaut_mcp.embedded.disk import explaining, make_folder, write_private
from ordinaut_mcp.embedded.home import PASSABLE, Home, running_as_root
from ordinaut_mcp.embedded.owner import (
    SYSTEM_FOLDER,
    Owner,
    account,
    present_owner,
    system_owner,
)
from ordinaut_mcp.embedded.spawning import run_to_end
from ordinaut_mcp.errors import InvalidInput, Unavailable

WHY = "The system account cannot reach this home, so PostgreSQL and Valkey keep their files there."


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that holds the servers' folders, and the account that owns those."""

    home: Home
    folder: Path
    owner: Owner
    system: Path = SYSTEM_FOLDER

    @property
    def postgres(self) -> Path:
        return postgres_folder(self.folder)

    @property
    def valkey(self) -> Path:
        return valkey_folder(self.folder)

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def private_folder(self, path: Path) -> Path:
        """Make a folder of mode 0700 that belongs to the owner; an existing one is checked.

        Raises:
            InvalidInput: what is there is not a folder, or belongs to another account.
        """
        with explaining(path):
            if not os.path.lexists(path):
                path.mkdir(mode=0o700)
                path.chmod(0o700)
                self.give(path)
            if not is_private(path, self.owner, any_mode=True):
                raise InvalidInput(
                    f"{path} is not a folder of the account {self.owner.name}",
                    field="ORDINAUT_HOME",
                    hint="Run as the account that owns it, or choose another ORDINAUT_HOME.",
                )
        return path

    def give(self, path: Path) -> None:
        """Let the owner have what we just made."""
        if self.owner.ids is not None:
            os.chown(path, *self.owner.ids, follow_symlinks=False)


def postgres_folder(folder: Path) -> Path:
    return folder / "postgres"


def valkey_folder(folder: Path) -> Path:
    return folder / "valkey"


def is_private(path: Path, owner: Owner, *, any_mode: bool = False) -> bool:
    """Whether `path` is a folder, no link, of `owner`, and closed to all others."""
    try:
        found = path.lstat()
    except OSError:
        return False
    closed = any_mode or not stat.S_IMODE(found.st_mode) & 0o077
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner.uid and closed


def known_folder(home: Home) -> Path:
    """Where the servers' folders are, as far as was decided; it makes nothing."""
    try:
        entry: Any = json.loads(home.elsewhere_file.read_text(encoding="utf-8"))
        return Path(str(entry["path"]))
    except (OSError, ValueError, TypeError, KeyError):
        return home.path


def settle(home: Home, *, system: Path = SYSTEM_FOLDER) -> Place:
    """Prepare the home and decide where its servers live and as whom, the same at every start.

    An ordinary user's servers live in the home and run as that user. As root they run as the
    account that owns the database folder already, else as the system account; where that one
    cannot pass to the home, they live under `system` and `servers.json` in the home says so.

    Raises:
        InvalidInput, Unavailable: the home cannot be used, or no account can run the servers.
    """
    home.prepare()
    folder = known_folder(home)
    if not running_as_root():
        return Place(home, folder, present_owner(), system)
    owner = known_owner(postgres_folder(folder)) or system_owner()
    if not _can_pass(owner, folder):
        _refuse_to_leave_a_database(folder, owner)
        folder = _elsewhere(home, system)
    with explaining(folder):
        make_folder(folder / "logs", PASSABLE)
    return Place(home, folder, owner, system)


def known_owner(folder: Path) -> Owner | None:
    """The account that owns a servers' folder; None when it is missing, root's, or nameless."""
    try:
        uid = folder.stat().st_uid
        return account(uid) if uid else None
    except (OSError, Unavailable):
        return None


def _can_pass(owner: Owner, folder: Path) -> bool:
    """Asked of the system itself, as that account: modes, lists and mounts all count."""
    asked = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]
    return run_to_end(asked, owner, seconds=10).code == 0


def _refuse_to_leave_a_database(folder: Path, owner: Owner) -> None:
    if (postgres_folder(folder) / "PG_VERSION").exists():
        raise Unavailable(
            f"the account {owner.name} cannot reach its database in {folder}",
            hint=f"Let {owner.name} pass through the folders above it (chmod o+x).",
        )


def _elsewhere(home: Home, system: Path) -> Path:
    """A new folder for this home alone; a home that was removed and made anew starts empty."""
    digest = hashlib.sha256(os.fsencode(home.path)).hexdigest()[:12]
    folder = system / "homes" / f"{digest}-{secrets.token_hex(4)}"
    with explaining(folder):
        make_folder(folder, PASSABLE)
        write_private(folder / "home.json", json.dumps({"home": str(home.path)}) + "\n")
        write_private(
            home.elsewhere_file, json.dumps({"path": str(folder), "why": WHY}, indent=2) + "\n"
        )
    return folder
