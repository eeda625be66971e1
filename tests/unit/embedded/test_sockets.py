"""The folder of the sockets is short, private, ours, and the same at every start."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import sockets
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.owner import present_owner
from ordinaut_mcp.embedded.place import Place
from ordinaut_mcp.embedded.sockets import asked, known_socket_folder, socket_folder


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for /tmp."""
    with tempfile.TemporaryDirectory(prefix="o-") as folder:
        monkeypatch.setattr(sockets, "SHORT", Path(folder))
        yield Path(folder)


def place_at(path: Path) -> Place:
    home = Home(path)
    home.prepare()
    return Place(home, home.path, present_owner())


def is_closed(folder: Path) -> bool:
    return stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_short_home_holds_its_sockets_itself(short: Path) -> None:
    place = place_at(short / "a home")
    assert socket_folder(place) == place.folder / "sockets"
    assert is_closed(place.folder / "sockets")


@pytest.mark.parametrize("name", ["x" * 90, "a,comma"])
def test_a_home_that_cannot_hold_them_gets_a_short_folder(name: str, short: Path) -> None:
    place = place_at(short / name)
    folder = socket_folder(place)

    assert folder.parent == short
    assert is_closed(folder)
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 103
    assert socket_folder(place_at(short / name)) == folder
    assert known_socket_folder(place.home) == folder


def test_two_homes_never_share_one(short: Path) -> None:
    first, second = (socket_folder(place_at(short / (letter * 90))) for letter in "ab")
    assert first != second


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_name_that_somebody_else_took_is_left_to_them(trap: str, short: Path) -> None:
    place = place_at(short / ("x" * 90))
    taken = socket_folder(place)
    (place.home.run / "sockets").unlink()
    taken.rmdir()
    if trap == "open":
        taken.mkdir(mode=0o755)
    elif trap == "link":
        taken.symlink_to(short)
    else:
        taken.write_text("")

    chosen = socket_folder(place)
    assert chosen != taken
    assert is_closed(chosen)
    assert socket_folder(place) == chosen


def test_a_folder_that_was_opened_to_others_is_not_used_again(short: Path) -> None:
    place = place_at(short / "home")
    folder = socket_folder(place)
    folder.chmod(0o777)

    assert socket_folder(place) != folder


def test_a_home_on_a_disk_without_sockets_gets_a_short_folder(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: socket.socket, address: str) -> None:
        raise OSError(address)

    with monkeypatch.context() as without:
        without.setattr(sockets.socket, "socket", type("S", (socket.socket,), {"bind": refused}))
        assert socket_folder(place_at(short / "home")).parent == short


def test_nobody_answers_where_nobody_listens(short: Path) -> None:
    assert asked(short / "none") is None
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(short / "s"))
        listening.listen()
        assert asked(short / "s") == ""
        assert asked(short / "s", b"PING\r\n", seconds=0.02) is None
