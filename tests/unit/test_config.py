"""Settings: where they come from, what is refused, and what is pinned."""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from ordinaut_mcp.config import default_home, load_settings, pin_environment, process_environment
from ordinaut_mcp.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("clean_environment")


def write(home: Path, text: str) -> None:
    (home / "ordinaut.toml").write_text(text, encoding="utf-8")


def test_the_defaults_are_the_published_ones(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings.home == tmp_path
    assert settings.tools_path == tmp_path / "tools.json"
    assert (settings.database_url, settings.redis_url) == (None, None)
    assert (settings.agent, settings.worker_slots) == ("local", 16)
    assert settings.lease == timedelta(seconds=30)
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8765)
    assert settings.min_interval_seconds == 1
    assert settings.llm_provider == "none"


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "timezone = 'UTC'\nworker_slots = 3\n")
    monkeypatch.setenv("ORDINAUT_TIMEZONE", "Asia/Kathmandu")
    settings = load_settings(tmp_path)
    assert (settings.zone_name, settings.worker_slots) == ("Asia/Kathmandu", 3)


def test_the_home_comes_from_the_environment_and_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDINAUT_HOME", "mine")
    assert load_settings().home == tmp_path / "mine"
    monkeypatch.setenv("ORDINAUT_HOME", "~/mine")
    assert load_settings().home == Path.home() / "mine"
    monkeypatch.setenv("ORDINAUT_HOME", "")
    assert load_settings().home == default_home()


def test_the_default_home_is_the_accounts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert default_home() == Path("/var/lib/ordinaut")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    assert default_home().name == "ordinaut"
    assert default_home() != Path("/var/lib/ordinaut")


def test_a_relative_path_is_of_the_folder_of_whoever_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    write(home, "tools_file = 'my.json'\nsecrets_file = '~/secrets.json'\n")
    of_file = load_settings(home)
    assert of_file.tools_path == home / "my.json"
    assert of_file.secrets_file == Path.home() / "secrets.json"
    monkeypatch.setenv("ORDINAUT_TOOLS_FILE", "my.json")
    assert load_settings(home).tools_path == elsewhere / "my.json"


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("time_zone = 'UTC'", "time_zone", "Did you mean 'timezone'?"),
        ("zzz = 1", "zzz", "Remove it."),
        ("[auth]\nkey = 1", "auth", "unknown key 'auth'"),
        ("home = '/x'", "home", "remove 'home'"),
        ("lease_seconds = 0", "lease_seconds", "ORDINAUT_LEASE_SECONDS"),
        ("agent = 'Local'", "agent", "lower-case"),
        ("database_url = 'mysql://u:hunter22@h'", "database_url", "postgresql://"),
        ("redis_url = 'u:hunter22@h'", "redis_url", "redis://"),
        ("http_port = 70000", "http_port", "65535"),
        ("timezone =", "ordinaut.toml", "not valid TOML"),
        ("timezone = '\udcff'", "ordinaut.toml", "not valid TOML"),
    ],
)
def test_a_mistake_is_told_by_its_key(tmp_path: Path, text: str, field: str, said: str) -> None:
    (tmp_path / "ordinaut.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidInput) as caught:
        load_settings(tmp_path)
    error = caught.value
    assert (error.code, error.field) == ("invalid_config", field)
    assert said in f"{error.message} {error.hint}"
    assert "hunter22" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    "url", ["postgresql://h/d", "postgres://h/d", "host=/tmp dbname=d", "dbname = d"]
)
def test_a_database_may_be_named_in_every_way_of_libpq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ORDINAUT_DATABASE_URL", url)
    assert load_settings(tmp_path).database_url == url


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, **_: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(InvalidInput, match="cannot be read: Permission denied"):
        load_settings(tmp_path)


def test_a_home_that_is_a_file_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert load_settings(tmp_path / "file").worker_slots == 16


def test_what_was_there_first_is_pinned_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "worker_slots = 3")
    monkeypatch.setenv("PATH", '/a "quoted" path:/é')
    monkeypatch.setenv("SECRET", "not pinned")
    first = pin_environment(load_settings(tmp_path))
    assert first["PATH"] == '/a "quoted" path:/é'
    assert "SECRET" not in first
    monkeypatch.setenv("PATH", "/other")
    again = load_settings(tmp_path)
    assert pin_environment(again) == first
    assert again.worker_slots == 3
    stored = tomllib.loads((tmp_path / "ordinaut.toml").read_text("utf-8"))
    assert stored["environment"] == first


def test_a_child_gets_a_copy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDINAUT_AGENT", "me")
    copy = process_environment()
    copy["ORDINAUT_AGENT"] = "other"
    assert os.environ["ORDINAUT_AGENT"] == "me"


@pytest.mark.parametrize("found", [LookupError, OSError, ValueError])
def test_a_machine_without_a_zone_is_in_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: type[Exception]
) -> None:
    def unknown() -> str:
        raise found

    monkeypatch.setattr("tzlocal.get_localzone_name", unknown)
    assert load_settings(tmp_path).zone_name == "UTC"
