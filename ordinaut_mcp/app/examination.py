"""The examination behind `doctor`: each dependency in turn, and how to mend it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import anyio

from ordinaut_mcp import __version__
from ordinaut_mcp.app import local
from ordinaut_mcp.app.probe import probe_all
from ordinaut_mcp.bridge.tools_file import read_tools_file
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.zone import TZDATA_VERSION, zone
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo
from ordinaut_mcp.errors import OrdinautError, Unavailable
from ordinaut_mcp.spine.link import server_version
from ordinaut_mcp.store.diagnosis import diagnose
from ordinaut_mcp.store.migrate import schema_state

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` is a command or a sentence."""

    subject: str
    verdict: Verdict
    says: str
    mend: str | None = None


def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which one thing rests on another."""
    runtime = local.found(settings)
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "ordinaut": lambda: _program(settings),
        "home": lambda: _home(settings),
        "runtime": lambda: _runtime(runtime),
        "database": lambda: _database(settings, runtime),
        "redis": lambda: _redis(settings, runtime),
        "tools file": lambda: _tools_file(settings),
        "tool servers": lambda: _tool_servers(settings),
    }
    return [finding for subject, look in looks.items() for finding in _guarded(subject, look)]


def _guarded(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except OrdinautError as error:
        yield Finding(subject, "fail", error.message, error.hint)


def _program(settings: Settings) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ordinaut", "ok", f"{__version__} on Python {python} ({sys.executable})")
    zone(settings.zone_name)
    yield Finding(
        "time zones",
        "ok",
        f"tzdata {TZDATA_VERSION}; tasks without a zone use {settings.zone_name}",
    )


def _home(settings: Settings) -> Iterator[Finding]:
    Home(settings.home).prepare()
    yield Finding("home", "ok", str(settings.home))
    pinned = settings.environment.get("PATH")
    if pinned and pinned != os.environ.get("PATH"):
        yield Finding(
            "environment",
            "warn",
            "PATH is not what the runtime was first started with, and tool servers run with.",
            f"To take today's, remove [environment] from {Home(settings.home).settings_file}.",
        )


def _runtime(runtime: RuntimeInfo | None) -> Iterator[Finding]:
    if runtime is None:
        yield Finding("runtime", "fail", "not running", "ordinaut-mcp up")
    elif runtime.version != __version__:
        says = f"version {runtime.version} is running, this is {__version__}"
        yield Finding("runtime", "warn", says, "ordinaut-mcp down && ordinaut-mcp up")
    else:
        yield Finding("runtime", "ok", f"{runtime.state}, process {runtime.pid}")


def _database(settings: Settings, runtime: RuntimeInfo | None) -> Iterator[Finding]:
    url = settings.database_url or (runtime.database_url if runtime else None)
    if url is None:
        yield Finding("database", "warn", "embedded, and not running now", "ordinaut-mcp up")
        return
    try:
        found = diagnose(url)
    except Unavailable as error:
        ours = settings.database_url is None
        mend = "ordinaut-mcp down && ordinaut-mcp up" if ours else "Check ORDINAUT_DATABASE_URL."
        yield Finding("database", "fail", error.message, mend)
        return
    yield Finding("database", "ok", f"PostgreSQL {found.version}")
    if abs(found.clock_skew_seconds) > 1:
        says = f"its clock is {found.clock_skew_seconds:+.1f} s off this machine's"
        yield Finding("database clock", "warn", says, "Have both machines set their clocks by NTP.")
    problem = schema_state(url).problem
    yield Finding(
        "schema",
        "fail" if problem else "ok",
        problem or "current",
        "ordinaut-mcp migrate" if problem else None,
    )


def _redis(settings: Settings, runtime: RuntimeInfo | None) -> Iterator[Finding]:
    url = settings.redis_url or (runtime.redis_url if runtime else None)
    if url is None:
        yield Finding("redis", "warn", "not running now; runs do not need it", "ordinaut-mcp up")
        return
    yield Finding("redis", "ok", server_version(url))


def _tools_file(settings: Settings) -> Iterator[Finding]:
    found = read_tools_file(settings.tools_path)
    for problem in found.problems:
        yield Finding(
            "tools file", "fail", f"{settings.tools_path}: {problem}", "Correct that line."
        )
    if not found.problems:
        names = ", ".join(config.name for config in found.servers) or "no servers"
        yield Finding("tools file", "ok", f"{settings.tools_path}: {names}")


def _tool_servers(settings: Settings) -> Iterator[Finding]:
    for name, probed in anyio.run(probe_all, settings.tools_path).items():
        if probed.is_ready:
            yield Finding(f"tool server {name}", "ok", f"{len(probed.tools)} tools")
        else:
            says = probed.status.error or probed.status.state.value
            yield Finding(f"tool server {name}", "fail", says, f"ordinaut-mcp tools test {name}")
