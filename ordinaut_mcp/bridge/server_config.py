"""What the tools file says of one tool server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

MAX_CONCURRENT: Final = 16
"""Calls that one server serves at the same time, unless its entry says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each process of a local server may take, set by its guard; None: as much as we may.

    `memory_mb` bounds what a process writes to (RLIMIT_DATA), so that Node and other runtimes
    may reserve as much address space as they like; `address_space_mb` bounds that, too.
    `processes` counts all processes and threads of the system's user, not of the server alone,
    and no limit holds back the superuser there (setrlimit(2)).
    """

    memory_mb: int | None = 2048
    address_space_mb: int | None = None
    processes: int | None = None
    files: int | None = 1024
    cpu_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A program to start: it speaks MCP over its stdin and stdout.

    `env` is added to the SDK's small default environment and nothing else is inherited;
    it may hold secrets and is left out of `repr`.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """How to get a token without a person (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server that speaks MCP over streamable HTTP; `headers` may hold secrets."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    auth: ClientCredentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One entry of the tools file, checked."""

    name: str
    how: Local | Remote
    max_concurrent: int = MAX_CONCURRENT

    @property
    def digest(self) -> str:
        """sha256 of the whole entry: another digest means that the server must be started anew."""
        canonical = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
