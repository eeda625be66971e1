"""A postmaster.pid is believed only when the process behind it is a PostgreSQL of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.embedded import postmaster
from ordinaut_mcp.embedded.owner import Owner
from ordinaut_mcp.embedded.postmaster import find_postmaster

OWNER = Owner("alice", 501, 20)
DATABASE = "/h/a b/postgres"
RIGHT = f"/w/bin/postgres\0-D\0{DATABASE}\0"
ON_MACOS = f"/w/bin/postgres -D {DATABASE}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "postmaster.pid").write_text(
        f"4711\n{DATABASE}\n1790000000\n5432\n/h/a b/sockets\n\n  123  456\nready   \n"
    )
    return tmp_path


def behind(monkeypatch: pytest.MonkeyPatch, *, command: str, uid: int | None = 501) -> None:
    """What the system tells about process 4711."""
    monkeypatch.setattr(postmaster, "birth_mark", {4711: "born"}.get)
    monkeypatch.setattr(postmaster, "command_line", {4711: command}.__getitem__)
    monkeypatch.setattr(postmaster, "account_id", {4711: uid}.__getitem__)


@pytest.mark.parametrize("command", [RIGHT, ON_MACOS])
def test_ours_is_found_with_all_that_it_says(
    command: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(monkeypatch, command=command.replace(DATABASE, str(database)))
    found = find_postmaster(database, OWNER)

    assert found is not None
    assert (found.pid, found.mark, found.status) == (4711, "born", "ready")
    assert found.socket == Path("/h/a b/sockets/.s.PGSQL.5432")


@pytest.mark.parametrize(
    ("command", "uid"),
    [
        (RIGHT, 501),
        (ON_MACOS, 501),
        ("/usr/bin/vim\0{here}\0", 501),
        ("/w/bin/postgres\0-D\0{here}\0", 502),
        ("/w/bin/postgres\0-D\0{here}\0", None),
        ("", 501),
    ],
    ids=["another folder", "another folder, by ps", "no postgres", "of another", "gone", "unknown"],
)
def test_anything_else_is_not_ours(
    command: str, uid: int | None, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(monkeypatch, command=command.format(here=database), uid=uid)
    assert find_postmaster(database, OWNER) is None


def test_one_that_has_not_written_everything_yet_is_starting(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(monkeypatch, command=RIGHT.replace(DATABASE, str(database)))
    (database / "postmaster.pid").write_text("4711\n")
    found = find_postmaster(database, OWNER)

    assert found is not None
    assert (found.status, found.socket) == ("starting", None)


@pytest.mark.parametrize("text", ["", "x\n", "-4711\n", "4712\n"])
def test_a_file_that_names_nobody_is_nobody(
    text: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(monkeypatch, command=RIGHT.replace(DATABASE, str(database)))
    (database / "postmaster.pid").write_text(text)
    assert find_postmaster(database, OWNER) is None
