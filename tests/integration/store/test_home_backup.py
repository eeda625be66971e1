"""The embedded database of a home: started for a backup or a restore, and left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.app.backup import back_up, restore
from ordinaut_mcp.app.dump import check_dump
from ordinaut_mcp.config import Settings
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.launcher import claim_runtime
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound, Unavailable
from ordinaut_mcp.store.migrate import migrate
from tests.integration.store.test_restoring import LIFE, execute


def test_a_home_that_is_down_is_saved_and_brought_back(folder: Path) -> None:
    first, second = Home(folder / "a home"), Home(folder / "another home")
    postgres = EmbeddedPostgres(first)
    with pytest.raises(NotFound, match="There is no database"):
        back_up(Settings(home=first.path), folder / "a.dump")
    try:
        url = postgres.start()
        migrate(url)
        execute(url, LIFE)
        # One that runs already, as after a kill of the runtime, is left running.
        saved = back_up(Settings(home=first.path), folder / "a.dump")
        assert postgres.running()
    finally:
        postgres.stop()

    with pytest.raises(Conflict, match="is there already"):
        back_up(Settings(home=first.path), saved.file)
    back_up(Settings(home=first.path), saved.file, force=True)
    assert not postgres.running()

    assert restore(Settings(home=second.path), saved.file).counts.unfinished == 4
    assert not EmbeddedPostgres(second).running()
    with pytest.raises(Conflict, match="has tasks"):
        restore(Settings(home=second.path), saved.file)

    whole = saved.file.read_bytes()
    saved.file.write_bytes(whole[:-2000])
    with pytest.raises(InvalidInput, match="is damaged or cut off"):
        check_dump(saved.file)


def test_a_file_that_is_none_is_told(folder: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        check_dump(folder / "a.dump")
    (folder / "a.dump").write_text("-- SQL", encoding="utf-8")
    with pytest.raises(InvalidInput, match="is no backup"):
        check_dump(folder / "a.dump")


def test_a_home_whose_runtime_is_just_starting_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(folder / "home")
    (home.path / "postgres").mkdir(parents=True)
    (home.path / "postgres" / "PG_VERSION").write_text("18\n", encoding="ascii")
    lock = claim_runtime(home)
    assert lock is not None

    def never_ready(home: Home) -> None:
        raise Unavailable(f"{home.path.name} is not ready")

    monkeypatch.setattr("ordinaut_mcp.app.backup.wait_ready", never_ready)
    with lock, pytest.raises(Unavailable, match="home is not ready"):
        back_up(Settings(home=home.path), folder / "a.dump")
