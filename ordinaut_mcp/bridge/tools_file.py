"""The tools file: which tool servers pipelines may call, in the format of Claude Desktop.

`{"mcpServers": {NAME: {"command", "args", "env", "cwd"} or {"url", "headers"}}}`. A text such as
`${HOME}` stays as it is: nothing in the file is expanded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ordinaut_mcp.bridge.entry import Mistake, server_of
from ordinaut_mcp.bridge.positions import Member, line_of, members
from ordinaut_mcp.bridge.server_config import ServerConfig
from ordinaut_mcp.domain.nearest import did_you_mean

LARGEST: Final = 1024 * 1024
"""Bytes; a larger file is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One mistake of the tools file: `server` is the entry that it is about, if it is about one.

    `field` is the path in the file (`mcpServers.mail.command`), empty for the file as a whole.
    """

    line: int
    server: str | None
    message: str
    field: str = ""

    def __str__(self) -> str:
        subject = f"{self.field} " if self.field else ""
        return f"line {self.line}: {subject}{self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsFile:
    """What could be read. `readable` is false if the file as a whole could not be understood."""

    servers: tuple[ServerConfig, ...] = ()
    problems: tuple[FileProblem, ...] = ()
    readable: bool = True


def read_tools_file(path: Path) -> ToolsFile:
    """Read the tools file; never raises for what is in it.

    A missing file is an empty one. A mistake in one entry leaves that entry out and the others
    in; a mistake of syntax gives no server and `readable` false, so that a caller can keep what
    it had.
    """
    try:
        text = _text_of(path)
        document: object = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return ToolsFile()
    except (ValueError, RecursionError, OSError) as error:
        return _unreadable(error)
    if not isinstance(document, dict):
        wrong = 'must be an object: {"mcpServers": {…}}'
        return ToolsFile(problems=(_whole(wrong),), readable=False)
    return _read(text) if document else ToolsFile()


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(0, f"larger than {LARGEST} bytes")
    return content.decode("utf-8-sig")


def _unreadable(error: ValueError | RecursionError | OSError) -> ToolsFile:
    match error:
        case json.JSONDecodeError():
            wrong = _whole(f"column {error.colno}: not JSON: {error.msg}", line=error.lineno)
        case UnicodeDecodeError():
            wrong = _whole("not UTF-8 text")
        case OSError():
            wrong = _whole(f"cannot be read: {error.strerror}")
        case _:
            wrong = _whole("nested too deeply, or with a number that is too long")
    return ToolsFile(problems=(wrong,), readable=False)


def _whole(message: str, *, line: int = 1) -> FileProblem:
    return FileProblem(line=line, server=None, message=message)


def _read(text: str) -> ToolsFile:
    top = list(members(text))
    problems = [_stray(member, text) for member in top if member.name != "mcpServers"]
    listings = [member for member in top if member.name == "mcpServers"]
    problems += [
        _problem(text, listing.at, "is said twice", field="mcpServers") for listing in listings[1:]
    ]
    problems += [
        _problem(text, listing.value_at, "must be an object of servers", field="mcpServers")
        for listing in listings
        if not isinstance(listing.value, dict)
    ]
    entries = [entry for listing in listings for entry in members(text, listing.value_at)]
    servers = _servers(entries, text, problems)
    return ToolsFile(servers=servers, problems=tuple(sorted(problems, key=lambda p: p.line)))


def _servers(
    entries: Sequence[Member], text: str, problems: list[FileProblem]
) -> tuple[ServerConfig, ...]:
    times, servers = Counter(entry.name for entry in entries), list[ServerConfig]()
    for entry in entries:
        try:
            servers.append(_server(entry, text, times=times[entry.name]))
        except Mistake as mistake:
            field = ".".join(filter(None, ("mcpServers", entry.name, mistake.key)))
            problems.append(
                _problem(text, mistake.at, mistake.message, field=field, server=entry.name)
            )
    return tuple(servers)


def _server(entry: Member, text: str, *, times: int) -> ServerConfig:
    if times > 1:
        wrong = "is said twice: neither is used, as it is not clear which is meant"
        raise Mistake(wrong, key=None, at=entry.at)
    return server_of(entry, text)


def _stray(member: Member, text: str) -> FileProblem:
    wrong = f"is not known here{did_you_mean(member.name, ['mcpServers'])}"
    return _problem(text, member.at, wrong, field=member.name)


def _problem(
    text: str, at: int, message: str, *, field: str, server: str | None = None
) -> FileProblem:
    shown = field if field.isprintable() else ascii(field)
    line = line_of(text, at)
    return FileProblem(line=line, server=server, message=message, field=shown[:200])
