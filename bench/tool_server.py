"""A tool server of the official SDK: answers at once, slowly, or with a megabyte."""

from __future__ import annotations

import anyio
from mcp.server import MCPServer
from mcp.types import ToolAnnotations

READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
MEGABYTE = 1_000_000

server = MCPServer("bench")


@server.tool(annotations=READ_ONLY)
def say(text: str) -> str:
    """Give back the text."""
    return text


@server.tool(annotations=READ_ONLY)
def big() -> str:
    """Answer with almost a mebibyte of text."""
    return "0123456789" * (MEGABYTE // 10)


@server.tool(annotations=READ_ONLY)
async def slow(seconds: float) -> str:
    """Answer after so many seconds."""
    await anyio.sleep(seconds)
    return "done"


if __name__ == "__main__":
    server.run()
