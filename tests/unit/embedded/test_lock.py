"""A lock that one holds at a time and that dies with its holder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import lock as lock_module
from ordinaut_mcp.embedded.lock import FileLock, holder, holding
from ordinaut_mcp.embedded.pids import birth_mark
from ordinaut_mcp.errors import InvalidInput, Unavailable

HOLD = """
import sys
from pathlib import Path
from ordinaut_mcp.embedded.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_one_holds_it_and_the_file_says_who(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.acquire()
        assert first.acquire()
        assert first.held
        assert not second.acquire(patience=0.03)
        assert holder(path) == (os.getpid(), birth_mark(os.getpid()))
        first.release()
        first.release()
        assert holder(path) is None
        assert second.acquire()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    with other, FileLock(path) as lock:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not lock.acquire()
        assert holder(path) == (other.pid, birth_mark(other.pid))
        other.kill()
        assert lock.acquire(patience=10)


def test_a_lock_whose_file_was_removed_is_not_held_by_two(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with FileLock(path) as first, FileLock(path) as second, FileLock(path) as third:
        assert first.acquire()
        path.unlink()
        assert second.acquire()
        assert not third.acquire()


def test_a_file_that_is_removed_between_opening_and_locking_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l"

    def removed(descriptor: int) -> bool:
        path.unlink()
        return descriptor > 0

    monkeypatch.setattr(lock_module, "_try_lock", removed)
    with FileLock(path) as lock:
        assert not lock.acquire()


@pytest.mark.parametrize("text", ["", "x", "1", "abc def", "999999999 mark", "1 mark"])
def test_a_file_that_names_nobody_alive_has_no_holder(text: str, tmp_path: Path) -> None:
    (tmp_path / "l").write_text(text)
    assert holder(tmp_path / "l") is None


def test_a_block_that_cannot_have_the_lock_says_so(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with (
        holding(path, patience=0),
        pytest.raises(Unavailable, match="still at work"),
        holding(path, patience=0),
    ):
        raise AssertionError
    with holding(path, patience=0):
        assert holder(path) is not None


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be made"):
        FileLock(tmp_path / "none" / "l").acquire()
