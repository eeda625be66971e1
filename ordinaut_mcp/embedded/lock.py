"""A file lock that dies with its holder, so that no lock is ever stale."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ordinaut_mcp.embedded.disk import explaining
from ordinaut_mcp.embedded.pids import birth_mark, wait_until
from ordinaut_mcp.errors import Unavailable

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    FAR_AWAY = 1 << 30  # Windows' locks keep others from reading the bytes that they cover

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, FAR_AWAY, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        return False
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """An exclusive lock on a file; the operating system drops it when its holder dies.

    The file stays when the lock is let go (removing it would let two hold it at once) and says
    who holds it: read that with `holder`. Children never inherit the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, *, patience: float = 0.0) -> bool:
        """Take the lock; False when another still holds it after `patience` seconds.

        Raises:
            InvalidInput, Unavailable: the file cannot be made.
        """
        with explaining(self._path):
            return wait_until(self._take, seconds=patience)

    def _take(self) -> bool:
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not (_try_lock(descriptor) and self._is_the_file(descriptor)):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with suppress(OSError):  # on a full disk the lock still holds, only without a name
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {birth_mark(os.getpid())}\n".encode(), 0)
        return True

    def _is_the_file(self, descriptor: int) -> bool:
        """False when the file was removed, and perhaps made anew, before we had the lock."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go; without effect when it is not held."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def holder(path: Path) -> tuple[int, str] | None:
    """Who holds the lock, as (process id, birth mark); None when no living one does.

    It only reads: asking can never make another's attempt to take the lock fail.
    """
    try:
        pid, mark = path.read_text(encoding="utf-8").strip().split(" ", 1)
        return (int(pid), mark) if birth_mark(int(pid)) == mark else None
    except (OSError, ValueError):
        return None


@contextmanager
def holding(path: Path, *, patience: float) -> Generator[None]:
    """Hold the lock for the length of a block.

    Raises:
        Unavailable: another held it for longer than `patience` seconds.
    """
    with FileLock(path) as lock:
        if not lock.acquire(patience=patience):
            raise Unavailable(
                f"another start or stop is still at work ({path.name})",
                hint="Wait a moment and try again.",
                retry_after=5,
            )
        yield
