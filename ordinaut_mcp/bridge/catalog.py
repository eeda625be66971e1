"""What a tool server offers: its tools/list, read within bounds and made ready for calls."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from mcp import Client
from mcp.types import PaginatedRequestParams, Tool

from ordinaut_mcp.domain.clean import OUTPUT, clean_json, json_size
from ordinaut_mcp.domain.json_schema import Validator, compile_schema
from ordinaut_mcp.domain.tool import ToolHints, ToolSpec
from ordinaut_mcp.errors import InvalidInput

MOST_TOOLS: Final = 512
MOST_PAGES: Final = 50
LARGEST: Final = 1024 * 1024
"""Bytes of all tools together."""
TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class BadCatalog(Exception):
    """The list of tools breaks a bound, so that none of it is taken."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool, ready to be called; `unusable` says why it cannot be."""

    spec: ToolSpec
    arguments: Validator | None = None
    output: Validator | None = None
    unusable: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tools of one server by name; `notes` are sentences for a person."""

    entries: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    notes: tuple[str, ...] = ()

    @property
    def specs(self) -> list[ToolSpec]:
        return [entry.spec for entry in self.entries.values()]


async def read_catalog(client: Client, server: str) -> Catalog:
    """Ask for every page of tools/list.

    A tool whose name or texts cannot be taken is left out with a note; one whose input schema
    cannot be checked is listed and refuses calls; an output schema that cannot be checked is
    not checked.

    Raises: BadCatalog, and whatever the client raises.
    """
    entries: dict[str, Entry] = {}
    notes: list[str] = []
    for tool in await _tools(client):
        problem = _problem_with(tool, entries)
        if problem:
            notes.append(problem)
        else:
            entries[tool.name] = _entry(tool, server, notes)
    return Catalog(entries, tuple(notes))


async def _tools(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor: str | None = None
    size = 0
    for _ in range(MOST_PAGES):
        page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        size += sum(json_size(_raw(tool), LARGEST) for tool in page.tools)
        if len(tools) > MOST_TOOLS:
            raise BadCatalog(f"too_many_tools: it lists more than {MOST_TOOLS}")
        if size > LARGEST:
            raise BadCatalog(f"catalog_too_large: its tools take more than {LARGEST} bytes")
        cursor = page.next_cursor
        if not cursor:
            return tools
    raise BadCatalog(f"too_many_pages: its list of tools has more than {MOST_PAGES}")


def _raw(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(by_alias=True, exclude_none=True)


def _problem_with(tool: Tool, known: Mapping[str, Entry]) -> str | None:
    if not TOOL_NAME.fullmatch(tool.name):
        return f"invalid_tool_name: {tool.name[:60]!a} is left out"
    if tool.name in known:
        return f"{tool.name} is listed twice: the second is left out"
    try:
        clean_json(_raw(tool), field=tool.name, limits=OUTPUT)
    except InvalidInput as error:
        return f"{tool.name} is left out: {error.message}"
    return None


def _entry(tool: Tool, server: str, notes: list[str]) -> Entry:
    entry = Entry(spec=_spec(tool, server))
    try:
        entry = replace(entry, arguments=_check(tool.input_schema, "the input", notes, tool))
    except InvalidInput as error:
        entry = replace(entry, unusable=f"its input schema cannot be used: {error.message}")
        notes.append(f"{tool.name} refuses calls: {entry.unusable}")
    try:
        if tool.output_schema is not None:
            entry = replace(entry, output=_check(tool.output_schema, "the output", notes, tool))
    except InvalidInput as error:
        notes.append(f"the output of {tool.name} is not checked: {error.message}")
    return entry


def _check(schema: dict[str, Any], what: str, notes: list[str], tool: Tool) -> Validator:
    """Compile a schema that a tool server wrote. Raises: InvalidInput."""
    check = compile_schema(schema, field=f"{what} schema of {tool.name}", trusted=False)
    notes += check.warnings
    return check


def _spec(tool: Tool, server: str) -> ToolSpec:
    hints = _hints(tool)
    return ToolSpec(
        server=server,
        name=tool.name,
        description=tool.description or "",
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        hints=hints,
        digest=_digest(tool, hints),
    )


def _hints(tool: Tool) -> ToolHints:
    said = tool.annotations
    if said is None:
        return ToolHints()
    hints = {
        "read_only": said.read_only_hint,
        "destructive": said.destructive_hint,
        "idempotent": said.idempotent_hint,
        "open_world": said.open_world_hint,
    }
    return ToolHints(**{name: hint for name, hint in hints.items() if hint is not None})


def _digest(tool: Tool, hints: ToolHints) -> str:
    """sha256 of what a task relies on: another description or title does not change it."""
    parts = {
        "name": tool.name,
        "input": tool.input_schema,
        "output": tool.output_schema,
        "hints": asdict(hints),
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
