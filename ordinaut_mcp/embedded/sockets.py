"""The private folder that holds the servers' unix sockets, short whatever the home's path."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path

from ordinaut_mcp.embedded.disk import explaining, make_folder, write_private
from ordinaut_mcp.embedded.home import PASSABLE, Home
from ordinaut_mcp.embedded.place import Place, is_private

LONGEST = 103
"""Bytes of a socket's path: sun_path holds 104 on macOS and 108 on Linux, NUL included."""

LONGEST_NAME = ".s.PGSQL.5432"
SHORT = Path("/tmp")  # noqa: S108 - only ever a folder of mode 0700 in it, checked to be ours


def socket_folder(place: Place) -> Path:
    """The folder for this place's sockets, made if it is missing; the same at every start.

    It lies in the home when that is short enough: there no cleaner of temporary files and no
    logout takes it away (XDG_RUNTIME_DIR goes with the last login, the runtime must not). Else
    it is a short folder of its own. Mode 0700, owned by the servers' account, never a link.
    """
    remembered = known_socket_folder(place.home)
    if remembered is not None and is_private(remembered, place.owner):
        return remembered
    with explaining(place.folder):
        chosen = _near(place) or _short(place)
        write_private(_memory(place.home), f"{chosen}\n")
    return chosen


def known_socket_folder(home: Home) -> Path | None:
    """What was chosen earlier; None when nothing was."""
    try:
        return Path(_memory(home).read_text(encoding="utf-8").removesuffix("\n"))
    except (OSError, ValueError):
        return None


def _memory(home: Home) -> Path:
    return home.run / "sockets"


def _near(place: Place) -> Path | None:
    folder = place.folder / "sockets"
    # libpq reads a comma as the end of one host and the begin of another
    if len(os.fsencode(folder / LONGEST_NAME)) > LONGEST or "," in str(folder):
        return None
    return folder if _made_private(folder, place) and _holds_sockets(folder) else None


def _short(place: Place) -> Path:
    digest = hashlib.sha256(os.fsencode(place.home.path)).hexdigest()[:12]
    if place.owner.lent:
        make_folder(place.system / "sockets", PASSABLE)
        folder = place.system / "sockets" / digest
    else:
        folder = SHORT / f"ordinaut-{place.owner.uid}-{digest}"
    if not _made_private(folder, place):  # somebody else sits on the name: take a free one
        folder = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}")
        folder.mkdir(mode=0o700)
        place.give(folder)
    return folder


def _made_private(folder: Path, place: Place) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return is_private(folder, place.owner)
    folder.chmod(0o700)
    place.give(folder)
    return True


def _holds_sockets(folder: Path) -> bool:
    """Some shared and mounted folders cannot hold a socket at all."""
    probe = folder / ".probe"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
            tried.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def asked(path: Path, question: bytes = b"", *, seconds: float = 2.0) -> str | None:
    """The begin of what listens here answers; empty for no question, None when nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            if not question:
                return ""
            connection.sendall(question)
            return connection.recv(8192).decode("utf-8", "replace")
    except OSError:
        return None
