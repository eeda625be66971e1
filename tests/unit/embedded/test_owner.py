"""Who the servers run as."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from ordinaut_mcp.embedded import owner
from ordinaut_mcp.embedded.owner import account, present_owner, system_owner
from ordinaut_mcp.errors import Unavailable

NAMELESS = 4_000_000_123


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The names that the system knows, with their ids."""
    known: dict[str, int] = {}

    def by_name(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", known[name], 7, "", "/", "/bin/false"))

    def by_id(uid: int) -> pwd.struct_passwd:
        return by_name({number: name for name, number in known.items()}[uid])

    monkeypatch.setattr(pwd, "getpwnam", by_name)
    monkeypatch.setattr(pwd, "getpwuid", by_id)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return known


def test_an_ordinary_account_runs_its_own_servers() -> None:
    ours = present_owner()
    assert ours.uid == os.geteuid()
    assert ours.name == pwd.getpwuid(os.geteuid()).pw_name
    assert ours.ids is None


def test_an_account_without_a_name_is_told_what_to_do() -> None:
    with pytest.raises(Unavailable, match="has no name") as told:
        account(NAMELESS)
    assert "ORDINAUT_DATABASE_URL" in (told.value.hint or "")


def test_root_lends_the_servers_to_ordinaut(accounts: dict[str, int]) -> None:
    accounts.update({"ordinaut": 900, "nobody": 65534})
    lent = system_owner()
    assert (lent.name, lent.ids) == ("ordinaut", (900, 7))


def test_ordinaut_is_made_when_it_is_missing(
    accounts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def make(command: list[str], **_: object) -> None:
        asked.append(" ".join(command))
        if command[0] == "/sbin/adduser":
            accounts["ordinaut"] = 901

    monkeypatch.setattr(subprocess, "run", make)
    monkeypatch.setattr(owner.shutil, "which", which({"useradd", "adduser"}))

    assert system_owner().uid == 901
    assert asked[0].startswith("/sbin/useradd --system")
    assert asked[1] == "/sbin/adduser --system --group --no-create-home ordinaut"


def which(present: set[str]) -> object:
    def found(name: str, path: str) -> str | None:
        return f"/sbin/{name}" if name in present and path else None

    return found


@pytest.mark.parametrize("present", [set[str](), {"useradd", "adduser"}])
def test_nobody_serves_where_no_account_can_be_made(
    present: set[str], accounts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(command: list[str], **_: object) -> None:
        raise OSError(command)

    accounts["nobody"] = 65534
    monkeypatch.setattr(subprocess, "run", refused)
    monkeypatch.setattr(owner.shutil, "which", which(present))
    assert system_owner().name == "nobody"


def test_without_any_account_it_is_told(
    accounts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner.shutil, "which", which(set()))
    assert accounts == {}
    with pytest.raises(Unavailable, match="refuses to run as root"):
        system_owner()
