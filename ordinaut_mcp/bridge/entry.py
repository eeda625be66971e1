"""One entry of the tools file: from JSON to a configuration, or to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeGuard, cast
from urllib.parse import urlsplit

from ordinaut_mcp.bridge.positions import Member, members
from ordinaut_mcp.bridge.server_config import Local, Remote, ServerConfig
from ordinaut_mcp.domain.builtin import GROUPS
from ordinaut_mcp.domain.nearest import did_you_mean

SERVER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

_LOCAL_KEYS: Final = ("command", "args", "env", "cwd", "type")
_REMOTE_KEYS: Final = ("url", "headers", "type")
_TYPES: Final = {"command": ("stdio",), "url": ("http", "streamable-http")}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Mistake(Exception):
    """What is wrong with an entry: a sentence, the key that it is about, and its offset."""

    def __init__(self, message: str, *, key: str | None, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.at = at


def server_of(entry: Member, text: str) -> ServerConfig:
    """The configuration that an entry of `mcpServers` holds. Raises: Mistake."""
    _check_name(entry)
    if not isinstance(entry.value, dict):
        raise Mistake("must be an object with command or url", key=None, at=entry.value_at)
    parts = _parts(entry, text)
    kinds = parts.keys() & {"command", "url"}
    if len(kinds) != 1:
        has = "both" if kinds else "neither"
        raise Mistake(f"needs command or url, and has {has}", key=None, at=entry.at)
    how = _local(parts) if "command" in parts else _remote(parts)
    return ServerConfig(name=entry.name, how=how)


def _check_name(entry: Member) -> None:
    if not SERVER_NAME.fullmatch(entry.name):
        allowed = "letters, digits, _ and -, at most 63, with no dot"
        raise Mistake(f"is not a server name: use {allowed}", key=None, at=entry.at)
    if entry.name.lower() in GROUPS:
        wrong = "is the name of a group of built-in tools: choose another"
        raise Mistake(wrong, key=None, at=entry.at)


def _parts(entry: Member, text: str) -> dict[str, Member]:
    parts: dict[str, Member] = {}
    for part in members(text, entry.value_at):
        if part.name in parts:
            raise Mistake("is said twice", key=part.name, at=part.at)
        parts[part.name] = part
    known = _REMOTE_KEYS if "url" in parts and "command" not in parts else _LOCAL_KEYS
    for part in parts.values():
        if part.name not in {*known, "url"}:
            raise Mistake(_unknown(part.name, known), key=part.name, at=part.at)
    return parts


def _unknown(name: str, known: Sequence[str]) -> str:
    return f"is not known here{did_you_mean(name, known)}"


def _local(parts: dict[str, Member]) -> Local:
    _check_type(parts, "command")
    return Local(
        command=_command(parts["command"]),
        args=tuple(_texts(parts["args"])) if "args" in parts else (),
        env=_named_texts(parts["env"], re.compile(r"[^=\0]+")) if "env" in parts else {},
        cwd=_text(parts["cwd"]) if "cwd" in parts else None,
    )


def _remote(parts: dict[str, Member]) -> Remote:
    _check_type(parts, "url")
    headers = _named_texts(parts["headers"], _TOKEN) if "headers" in parts else {}
    return Remote(url=_url(parts["url"]), headers=headers)


def _check_type(parts: dict[str, Member], key: str) -> None:
    part = parts.get("type")
    if part is not None and part.value not in _TYPES[key]:
        wrong = f"must be {' or '.join(_TYPES[key])} beside {key}"
        raise Mistake(wrong, key=part.name, at=part.value_at)


def _command(part: Member) -> str:
    command = _text(part)
    if re.search(r"\s", command) and not Path(command).is_file():
        wrong = "must be one program; its arguments go into args, and no shell reads them"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return command


def _url(part: Member) -> str:
    url = _text(part)
    try:
        pieces = urlsplit(url)
    except ValueError:
        raise Mistake("is not a URL", key=part.name, at=part.value_at) from None
    if pieces.scheme not in {"http", "https"} or not pieces.hostname:
        raise Mistake("must begin with http:// or https://", key=part.name, at=part.value_at)
    if pieces.username or pieces.password:
        wrong = "must not hold a name or password: use headers"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return url


def _is_text(value: object) -> TypeGuard[str]:
    """Text that can be given to a process: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _text(part: Member) -> str:
    if not part.value or not _is_text(part.value):
        raise Mistake("must be a text", key=part.name, at=part.value_at)
    return part.value


def _texts(part: Member) -> Iterator[str]:
    given: object = part.value
    if not isinstance(given, list):
        raise Mistake("must be a list of texts", key=part.name, at=part.value_at)
    for text in cast("list[object]", given):
        if not _is_text(text):
            raise Mistake("must be a list of texts", key=part.name, at=part.value_at)
        yield text


def _named_texts(part: Member, name: re.Pattern[str]) -> dict[str, str]:
    given: object = part.value
    if not isinstance(given, dict):
        wrong = "must be an object that gives each name a text"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    for key, value in cast("dict[str, object]", given).items():
        if not _is_text(value) or (name is _TOKEN and re.search(r"[\r\n]", value)):
            raise Mistake(f"{key!r} must be a text", key=part.name, at=part.value_at)
        if not name.fullmatch(key):
            raise Mistake(f"{key!r} cannot be a name here", key=part.name, at=part.value_at)
    return cast("dict[str, str]", given)
