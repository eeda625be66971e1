"""Where an ordinary account's servers live, and what is refused there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import home as home_module
from ordinaut_mcp.embedded import place as place_module
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.owner import present_owner
from ordinaut_mcp.embedded.place import Place, is_private, known_folder, known_owner, settle
from ordinaut_mcp.errors import InvalidInput


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if we were not root: nothing here needs another account."""
    monkeypatch.setattr(home_module, "running_as_root", lambda: False)
    monkeypatch.setattr(place_module, "running_as_root", lambda: False)


@pytest.mark.usefixtures("ordinary")
def test_an_ordinary_accounts_servers_live_in_the_home(tmp_path: Path) -> None:
    place = settle(Home(tmp_path / "home"))

    assert place.folder == tmp_path / "home"
    assert place.postgres == tmp_path / "home" / "postgres"
    assert place.owner == present_owner()
    assert place == settle(Home(tmp_path / "home"))


def test_a_home_says_where_its_servers_went(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert known_folder(home) == tmp_path
    home.elsewhere_file.write_text(json.dumps({"path": "/somewhere"}))
    assert known_folder(home) == Path("/somewhere")


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_a_note_that_says_nothing_changes_nothing(text: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.elsewhere_file.write_text(text)
    assert known_folder(home) == tmp_path


def test_a_folder_is_private_only_when_it_is_one_and_closed(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "file").write_text("")

    assert is_private(folder, present_owner())
    assert not is_private(tmp_path / "link", present_owner())
    assert not is_private(tmp_path / "file", present_owner())
    assert not is_private(tmp_path / "none", present_owner())
    folder.chmod(0o750)
    assert not is_private(folder, present_owner())
    assert is_private(folder, present_owner(), any_mode=True)


def test_a_link_in_the_place_of_a_servers_folder_is_refused(tmp_path: Path) -> None:
    place = Place(Home(tmp_path), tmp_path, present_owner())
    (tmp_path / "postgres").symlink_to("/etc")

    with pytest.raises(InvalidInput, match="is not a folder of the account"):
        place.private_folder(place.postgres)


def test_the_owner_of_a_folder_is_known_unless_it_is_missing_roots_or_nameless(
    tmp_path: Path,
) -> None:
    assert known_owner(tmp_path / "none") is None
    assert known_owner(Path("/")) is None
    if os.geteuid() == 0:
        os.chown(tmp_path, 4_000_000_123, -1)
        assert known_owner(tmp_path) is None
    else:
        assert known_owner(tmp_path) == present_owner()
