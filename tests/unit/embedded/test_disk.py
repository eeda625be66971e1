"""Files that are written whole, logs that stay small, and refusals put into words."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import disk
from ordinaut_mcp.embedded.disk import (
    explaining,
    keep_small,
    make_folder,
    tail,
    tells_full,
    write_private,
)
from ordinaut_mcp.errors import InvalidInput, OrdinautError, Unavailable


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, Unavailable, "is full"),
        (errno.EDQUOT, Unavailable, "is full"),
        (errno.EACCES, InvalidInput, "cannot write in /h"),
        (errno.EROFS, InvalidInput, "cannot write in /h"),
        (errno.EEXIST, InvalidInput, "/h is a file where a folder is needed"),
        (errno.ENAMETOOLONG, InvalidInput, "/h cannot be made"),
        (errno.EIO, Unavailable, "the disk that holds /h failed"),
    ],
)
def test_each_refusal_says_what_it_means(number: int, kind: type[OrdinautError], says: str) -> None:
    with pytest.raises(kind, match=says) as told, explaining(Path("/h")):
        raise OSError(number, "what the system says")
    assert told.value.field == "ORDINAUT_HOME"


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("FATAL: could not write: No space left on device", True),
        ("wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.", True),
        ("Disk quota exceeded", True),
        ("FATAL: invalid value", False),
    ],
)
def test_a_full_disk_is_known_by_the_servers_words(said: str, full: bool) -> None:
    assert tells_full(said) is full


def test_a_private_file_is_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_private(file, "one")
    write_private(file, "zwei ☂")

    assert file.read_text(encoding="utf-8") == "zwei ☂"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_private(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "new \udcff")

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"{number}\n" for number in range(10_000)))

    assert tail(log, lines=2) == "9998\n9999"
    assert tail(log, since=log.stat().st_size - 5) == "9999"
    assert tail(log, since=10**9) == ""
    assert tail(tmp_path / "none") == ""


def test_the_tail_is_never_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "log").symlink_to(tmp_path / "secret")
    assert tail(tmp_path / "log") == ""


def test_a_log_is_set_aside_only_when_it_is_large(tmp_path: Path) -> None:
    log = tmp_path / "log"
    keep_small(log, at_most=3)
    log.write_text("abc")
    keep_small(log, at_most=3)
    assert log.exists()

    log.write_text("abcd")
    keep_small(log, at_most=3)
    assert not log.exists()
    assert (tmp_path / "log.1").read_text() == "abcd"


def test_a_folder_that_another_caller_makes_meanwhile_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "f"
    make = Path.mkdir

    def overtaken(self: Path, mode: int) -> None:
        make(self, mode=0o750)
        make(self, mode=mode)

    monkeypatch.setattr(disk.Path, "mkdir", overtaken)
    assert make_folder(folder, 0o700) is False
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
