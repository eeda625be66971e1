"""The account that the servers run as: ourselves, or as root an unprivileged system account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ordinaut_mcp.errors import NotAvailable, Unavailable

if sys.platform != "win32":  # pragma: no branch
    import pwd

SYSTEM_ACCOUNT = "ordinaut"
LAST_RESORT = "nobody"
SYSTEM_FOLDER = Path("/var/lib/ordinaut")
NO_WINDOWS_YET = NotAvailable(
    "the embedded PostgreSQL and Valkey do not run on Windows yet",
    hint="Set ORDINAUT_DATABASE_URL and ORDINAUT_REDIS_URL.",
)


@dataclass(frozen=True, slots=True)
class Owner:
    """An account. `lent` is true when we are root and the servers run as this other account."""

    name: str
    uid: int
    gid: int
    lent: bool = False

    @property
    def ids(self) -> tuple[int, int] | None:
        """The (uid, gid) that files must be given to; None when they are ours anyway."""
        return (self.uid, self.gid) if self.lent else None


def present_owner() -> Owner:
    """The account that we run as.

    Raises:
        NotAvailable: on Windows.
        Unavailable: the account has no name, which PostgreSQL needs.
    """
    if sys.platform == "win32":  # pragma: no cover
        raise NO_WINDOWS_YET
    return account(os.geteuid())


def account(uid: int) -> Owner:
    """The account with this id, lent if we are root and it is not.

    Raises:
        Unavailable: the system knows no name for it.
    """
    if sys.platform == "win32":  # pragma: no cover
        raise NO_WINDOWS_YET
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Unavailable(
            f"the account with the id {uid} has no name, and PostgreSQL refuses to run without one",
            hint="Add it to /etc/passwd, or set ORDINAUT_DATABASE_URL.",
        ) from None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, lent=os.geteuid() == 0 != uid)


def system_owner() -> Owner:
    """The account `ordinaut`, made if it is missing; `nobody` where it cannot be made.

    Only root calls it. Its login is disabled and it owns nothing but the servers' folders.
    """
    for make in (None, *_ways_to_make_it()):
        if make is not None:
            _try(make)
        if (found := _named(SYSTEM_ACCOUNT)) is not None:
            return found
    if (found := _named(LAST_RESORT)) is not None:
        return found
    raise Unavailable(
        f"PostgreSQL refuses to run as root, and there is no account {SYSTEM_ACCOUNT} or nobody",
        hint=f"Add a system account named {SYSTEM_ACCOUNT}, or run as an ordinary user.",
    )


def _named(name: str) -> Owner | None:
    if sys.platform == "win32":  # pragma: no cover
        raise NO_WINDOWS_YET
    try:
        return account(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return None


def _ways_to_make_it() -> list[list[str]]:
    """Commands that add a system account: shadow-utils', Debian's and BusyBox's."""
    where = ["--home-dir", str(SYSTEM_FOLDER), "--shell", "/usr/sbin/nologin"]
    return [
        ["useradd", "--system", "--user-group", "--no-create-home", *where, SYSTEM_ACCOUNT],
        ["adduser", "--system", "--group", "--no-create-home", SYSTEM_ACCOUNT],
        ["adduser", "-S", "-D", "-H", "-h", str(SYSTEM_FOLDER), SYSTEM_ACCOUNT],
    ]


def _try(command: list[str]) -> None:
    found = shutil.which(command[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        return
    try:
        subprocess.run(  # noqa: S603 - fixed commands with absolute paths
            [found, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=20,
            env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return
