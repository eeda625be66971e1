"""Where the operating system's refusals about files become errors of ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ordinaut_mcp.errors import InvalidInput, OrdinautError, Unavailable

FIELD = "ORDINAUT_HOME"

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
NOT_A_FOLDER = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT)


def disk_full(path: Path) -> Unavailable:
    return Unavailable(
        f"the disk that holds {path} is full",
        field=FIELD,
        hint="Free some space (a new database needs about 100 MB) or choose another ORDINAUT_HOME.",
    )


def tells_full(said: str) -> bool:
    """Whether a server's own words mean that its disk is full."""
    signs = ("No space left on device", "Disk quota exceeded", "Check free disk space")
    return any(sign in said for sign in signs)


def explained(error: OSError, path: Path) -> OrdinautError:
    """The error of ours that says what `error` means for `path` and what to do about it."""
    if error.errno in FULL:
        return disk_full(path)
    if error.errno in REFUSED:
        return InvalidInput(
            f"cannot write in {path}: {error.strerror}",
            field=FIELD,
            hint="Choose a folder that this account may write in, or run as the folder's owner.",
        )
    if error.errno in IN_THE_WAY:
        return InvalidInput(
            f"{error.filename or path} is a file where a folder is needed",
            field=FIELD,
            hint="Move the file away or choose another ORDINAUT_HOME.",
        )
    if error.errno in NOT_A_FOLDER:
        return InvalidInput(
            f"{path} cannot be made: {error.strerror}",
            field=FIELD,
            hint="Choose another ORDINAUT_HOME.",
        )
    return Unavailable(f"the disk that holds {path} failed: {error.strerror}", field=FIELD)


@contextmanager
def explaining(path: Path) -> Generator[None]:
    """Turn each OSError inside into an OrdinautError about `path`.

    Raises:
        InvalidInput: the path cannot be used as it is.
        Unavailable: the disk is full or failing.
    """
    try:
        yield
    except OSError as error:
        raise explained(error, path) from error


def make_folder(path: Path, mode: int) -> bool:
    """Make the folder and its missing parents with exactly `mode`; True when `path` was made.

    The mode of a folder that was there already is never touched: it is not ours.
    """
    if path.is_dir():
        return False
    if path.parent != path:
        make_folder(path.parent, mode)
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        if path.is_dir():  # another caller made it in the same moment
            return False
        raise
    path.chmod(mode)  # a umask may have taken bits away that the system account needs
    return True


def write_private(path: Path, text: str, *, owner: tuple[int, int] | None = None) -> None:
    """Write the whole file in one step, readable by its owner alone (mode 0600).

    `owner` is the (uid, gid) that the file is given to; nothing but root may give it away.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Whoever made an unfinished one with our number is gone: numbers are unique while alive.
        unfinished.unlink(missing_ok=True)
        opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            if owner is not None:
                os.fchown(opened, *owner)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def tail(path: Path, *, since: int = 0, lines: int = 12) -> str:
    """The last lines of a log, from the byte `since` on; empty when there is none."""
    try:
        # Never through a link: some logs lie in a folder of the account that root lends to.
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(opened, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(min(since, size), size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def keep_small(path: Path, *, at_most: int) -> None:
    """Set a log aside as `<name>.1` when it has grown past `at_most` bytes."""
    try:
        if path.stat().st_size > at_most:
            path.replace(path.with_name(path.name + ".1"))
    except FileNotFoundError:
        return
