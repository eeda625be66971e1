"""What the tools file says of one tool server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server that speaks MCP over streamable HTTP; `headers` may hold secrets."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One entry of the tools file, checked."""

    name: str
    how: Local | Remote

    @property
    def digest(self) -> str:
        """sha256 of the whole entry: another digest means that the server must be started anew."""
        canonical = json.dumps([self.name, asdict(self.how)], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
