"""What the server publishes about its tools, made from their functions by `make published`.

A client waits for tools/list at the start of every session. The list never changes while the
code does not, so it is made beforehand and read from a file; a test keeps the two the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.resources import files
from inspect import cleandoc
from typing import Any, Final

from mcp.server import MCPServer
from mcp.types import Tool, ToolAnnotations

from ordinaut_mcp.tools.registry import ToolFunction, nouns
from ordinaut_mcp.tools.schema import plain_answer, plain_schema

FILE: Final = "published.json"
ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "Only in errors: code, message, field, hint, allowed, retry_after, request_id.",
}


class _Publisher:
    """Lets the SDK read the functions' signatures."""

    def __init__(self) -> None:
        self.server: MCPServer[None] = MCPServer("publisher", log_level="ERROR")

    def offer(self, tool: ToolFunction, *, title: str, annotations: ToolAnnotations) -> None:
        description = cleandoc(tool.__doc__ or "")
        self.server.add_tool(tool, title=title, description=description, annotations=annotations)


async def made_anew() -> list[Tool]:
    """The tools as their functions describe them now."""
    publisher = _Publisher()
    for noun in nouns():
        noun.register(publisher)
    return [_published(tool) for tool in await publisher.server.list_tools()]


def in_json(tools: list[Tool]) -> str:
    """The text of the file."""
    plain = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def stored() -> str:
    """The text of the file as it is."""
    return files("ordinaut_mcp.tools").joinpath(FILE).read_text(encoding="utf-8")


def _published(tool: Tool) -> Tool:
    schemas = {
        "input_schema": plain_schema(tool.input_schema),
        "output_schema": _or_error(plain_answer(tool.output_schema or {})),
    }
    return tool.model_copy(update=schemas)


def _or_error(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an answer or an error: the Inspector and others hold errors to it, too."""
    rest = {name: part for name, part in answer.items() if name not in {"required", "properties"}}
    return {
        **rest,
        "properties": {**answer.get("properties", {}), "error": dict(ERROR)},
        "anyOf": [{"required": answer.get("required", [])}, {"required": ["error"]}],
    }


def main() -> None:
    """Write the file's text to stdout."""
    import anyio

    sys.stdout.write(in_json(anyio.run(made_anew)))


if __name__ == "__main__":
    main()
