"""The command line's exit codes, and how errors are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ordinaut_mcp import __version__
from ordinaut_mcp.cli import main
from ordinaut_mcp.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotAvailable,
    NotFound,
    OrdinautError,
    Unavailable,
)

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDINAUT_HOME", str(tmp_path))
    return tmp_path


def code_of(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the program that is given these words."""
    monkeypatch.setattr("sys.argv", ["ordinaut-mcp", *words])
    try:
        return main.run()
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 3),
        (Unavailable("x"), 4),
        (NotAllowed("x"), 5),
        (InvalidInput("x"), 1),
        (Conflict("x"), 1),
        (NotAvailable("x"), 1),
        (OrdinautError("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: OrdinautError, code: int) -> None:
    assert main.code_of(error) == code


def test_the_version_needs_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(["--version"], monkeypatch) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_an_error_goes_to_stderr_with_what_is_allowed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "ordinaut.toml").write_text("time_zone = 'UTC'\n", encoding="utf-8")
    assert code_of(["status"], monkeypatch) == 1
    told = capsys.readouterr()
    assert told.out == ""
    said, allowed, hint = told.err.splitlines()
    assert said.endswith("has an unknown key 'time_zone'.")
    assert allowed.startswith("Allowed: agent, database_url, ")
    assert hint == "Did you mean 'timezone'?"


def test_an_error_is_json_on_stdout_when_json_was_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(["tools", "test", "nobody", "--json"], monkeypatch) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "not_found"
    assert str(home) in told.err


def test_a_preview_needs_no_runtime(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["preview", "0 8 * * 1-5", "--timezone", "UTC", "--after", "2025-06-01T00:00"]
    assert code_of([*words, "--count", "1", "--json"], monkeypatch) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["utc"] for one in shown["occurrences"]] == ["2025-06-02T08:00:00Z"]
    assert list(home.iterdir()) == []


def test_an_interruption_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*, standalone_mode: bool) -> None:
        assert standalone_mode
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    assert code_of(["status"], monkeypatch) == 130


@pytest.mark.parametrize("words", [["status"], ["migrate", "--check"], ["agenda"]])
def test_what_needs_a_runtime_exits_with_4_without_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    assert code_of(words, monkeypatch) == 4
    assert not (home / "runtime.json").exists()
