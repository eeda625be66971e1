"""One entry of the tools file: from JSON to a configuration, or to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ordinaut_mcp.bridge.mistake import (
    HEADER_NAME,
    VARIABLE_NAME,
    Mistake,
    inner_parts,
    named_texts_of,
    number_of,
    parts_of,
    text_of,
    texts_of,
    url_of,
)
from ordinaut_mcp.bridge.positions import Member
from ordinaut_mcp.bridge.server_config import (
    MAX_CONCURRENT,
    ClientCredentials,
    Limits,
    Local,
    Remote,
    ServerConfig,
)
from ordinaut_mcp.domain.builtin import GROUPS

SERVER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

_LOCAL_KEYS: Final = ("command", "args", "env", "cwd", "limits", "max_concurrent", "type")
_REMOTE_KEYS: Final = ("url", "headers", "auth", "max_concurrent", "type")
_TYPES: Final = {"command": ("stdio",), "url": ("http", "streamable-http")}
_AUTH_KEYS: Final = ("type", "token_url", "client_id", "client_secret", "scope")
_CLIENT_CREDENTIALS: Final = "client_credentials"
_MEMORY: Final = (64, 1024 * 1024)
_RANGES: Final = {
    "memory_mb": _MEMORY,
    "address_space_mb": _MEMORY,
    "processes": (1, 1_000_000),
    "files": (16, 1_000_000),
    "cpu_seconds": (1, 1_000_000_000),
}
_CONCURRENT: Final = (1, 1000)


def server_of(entry: Member, text: str) -> ServerConfig:
    """The configuration that an entry of `mcpServers` holds. Raises: Mistake."""
    _check_name(entry)
    given: object = entry.value
    if not isinstance(given, dict):
        raise Mistake("must be an object with command or url", key=None, at=entry.value_at)
    is_remote = "url" in given and "command" not in given
    known = _REMOTE_KEYS if is_remote else (*_LOCAL_KEYS, "url")
    parts = parts_of(text, entry.value_at, known)
    kinds = parts.keys() & {"command", "url"}
    if len(kinds) != 1:
        has = "both" if kinds else "neither"
        raise Mistake(f"needs command or url, and has {has}", key=None, at=entry.at)
    how = _remote(parts, text) if is_remote else _local(parts, text)
    concurrent = parts.get("max_concurrent")
    most = number_of(concurrent, *_CONCURRENT) if concurrent else MAX_CONCURRENT
    return ServerConfig(name=entry.name, how=how, max_concurrent=most)


def _check_name(entry: Member) -> None:
    if not SERVER_NAME.fullmatch(entry.name):
        allowed = "letters, digits, _ and -, at most 63, with no dot"
        raise Mistake(f"is not a server name: use {allowed}", key=None, at=entry.at)
    if entry.name.lower() in GROUPS:
        wrong = "is the name of a group of built-in tools: choose another"
        raise Mistake(wrong, key=None, at=entry.at)


def _local(parts: Mapping[str, Member], text: str) -> Local:
    _check_type(parts, "command")
    return Local(
        command=_command(parts["command"]),
        args=tuple(texts_of(parts["args"])) if "args" in parts else (),
        env=named_texts_of(parts["env"], VARIABLE_NAME) if "env" in parts else {},
        cwd=text_of(parts["cwd"]) if "cwd" in parts else None,
        limits=_limits(parts["limits"], text) if "limits" in parts else Limits(),
    )


def _limits(part: Member, text: str) -> Limits:
    found = inner_parts(part, text, tuple(_RANGES))
    given = {
        name: None if one.value is None else number_of(one, *_RANGES[name])
        for name, one in found.items()
    }
    return Limits(**given)


def _remote(parts: Mapping[str, Member], text: str) -> Remote:
    _check_type(parts, "url")
    headers: Mapping[str, str] = {}
    if "headers" in parts:
        headers = named_texts_of(parts["headers"], HEADER_NAME)
    auth = _auth(parts["auth"], text) if "auth" in parts else None
    if auth and "authorization" in {name.lower() for name in headers}:
        part = parts["headers"]
        wrong = "holds Authorization and auth is given, too: which one is meant?"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return Remote(url=url_of(parts["url"]), headers=headers, auth=auth)


def _auth(part: Member, text: str) -> ClientCredentials:
    found = inner_parts(part, text, _AUTH_KEYS)
    for name in _AUTH_KEYS[:-1]:
        if name not in found:
            raise Mistake("is missing", key=f"{part.name}.{name}", at=part.value_at)
    kind = found["type"]
    if kind.value != _CLIENT_CREDENTIALS:
        wrong = f"must be {_CLIENT_CREDENTIALS}: nobody is there to log in"
        raise Mistake(wrong, key=kind.name, at=kind.value_at)
    return ClientCredentials(
        token_url=url_of(found["token_url"]),
        client_id=text_of(found["client_id"]),
        client_secret=text_of(found["client_secret"]),
        scope=text_of(found["scope"]) if "scope" in found else None,
    )


def _check_type(parts: Mapping[str, Member], key: str) -> None:
    part = parts.get("type")
    if part is not None and part.value not in _TYPES[key]:
        wrong = f"must be {' or '.join(_TYPES[key])} beside {key}"
        raise Mistake(wrong, key=part.name, at=part.value_at)


def _command(part: Member) -> str:
    command = text_of(part)
    if re.search(r"\s", command) and not Path(command).is_file():
        wrong = "must be one program; its arguments go into args, and no shell reads them"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return command
