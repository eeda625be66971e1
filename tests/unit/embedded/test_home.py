"""The folder of one runtime: its names, its making, and what is said when it cannot be made."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.embedded.home import Home, running_as_root
from ordinaut_mcp.errors import InvalidInput, Unavailable


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        Home(path).prepare()
    return refused.value


def test_the_names_in_a_home_are_promises() -> None:
    home = Home("/srv/o")

    assert home.settings_file == Path("/srv/o/ordinaut.toml")
    assert home.tools_file == Path("/srv/o/tools.json")
    assert home.info_file == Path("/srv/o/runtime.json")
    assert home.lock_file == Path("/srv/o/runtime.lock")
    assert home.runtime_log == Path("/srv/o/logs/runtime.log")
    assert home.run == Path("/srv/o/run")


def test_a_relative_home_is_kept_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home("a/../b").path == tmp_path / "b"
    assert Home(Path("b")) == Home(tmp_path / "b")


@pytest.mark.parametrize("path", ["", "a\nb", "a\0b", "\x7f", "/" + "x" * 900])
def test_a_path_that_the_servers_could_not_bear_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Home(path)
    assert refused.value.field == "ORDINAUT_HOME"


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=100))
def test_any_printable_path_makes_a_home_whose_files_lie_in_it(path: str) -> None:
    home = Home(path)
    assert home.path.is_absolute()
    assert home.runtime_log.is_relative_to(home.path)


def test_preparing_makes_folders_that_others_cannot_look_into(tmp_path: Path) -> None:
    home = Home(tmp_path / "above" / "a home")
    home.prepare()
    home.prepare()

    expected = 0o711 if running_as_root() else 0o700
    assert [mode_of(path) for path in (home.path.parent, home.path, home.logs)] == [expected] * 3
    assert mode_of(home.run) == 0o700
    assert sorted(path.name for path in home.path.iterdir()) == ["logs", "run"]


def test_a_umask_does_not_change_what_is_made(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        Home(tmp_path / "home").prepare()
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "home" / "run") == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770])
def test_the_mode_of_a_folder_that_was_there_is_never_touched(mode: int, tmp_path: Path) -> None:
    given_home = tmp_path / "given"
    given_home.mkdir()
    given_home.chmod(mode)
    tmp_path.chmod(0o751)
    Home(given_home).prepare()

    assert (mode_of(given_home), mode_of(tmp_path)) == (mode, 0o751)


@pytest.mark.parametrize("below", [".", "below", "below/further"])
def test_a_file_in_the_way_is_named(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")

    error = refusal(file / below)
    assert "is a file where a folder is needed" in error.message
    assert str(file) in error.message
    assert error.field == "ORDINAUT_HOME"
    assert file.read_text() == "mine"


def test_a_home_where_nobody_can_write_is_refused() -> None:
    """Not even root can make a folder in /proc."""
    error = refusal(Path("/proc/ordinaut"))
    assert "/proc/ordinaut" in error.message
    assert error.hint is not None


def test_a_home_in_anothers_folder_is_refused(tmp_path: Path) -> None:
    if running_as_root():
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    try:
        assert "cannot write in" in refusal(tmp_path / "home").message
    finally:
        tmp_path.chmod(0o700)


def test_a_name_that_is_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    assert "cannot be made" in refusal(tmp_path / ("x" * 300)).message


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def almost_full(path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=1000)

    monkeypatch.setattr(shutil, "disk_usage", almost_full)
    with pytest.raises(Unavailable, match="is full"):
        Home(tmp_path / "home").prepare()
