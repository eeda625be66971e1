"""A client of a stdio server for one visit: what an agent's client does, for the demo."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from ordinaut_mcp.errors import OrdinautError


class Visit:
    """One open session."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The structured answer of one tool.

        Raises:
            OrdinautError: the tool answered with an error; its text.
        """
        result = await self._client.call_tool(tool, dict(arguments))
        if result.is_error:
            texts = [part.text for part in result.content if isinstance(part, TextContent)]
            raise OrdinautError("\n".join(texts))
        return dict(result.structured_content or {})


@asynccontextmanager
async def visiting(
    command: Sequence[str], environment: Mapping[str, str]
) -> AsyncGenerator[Visit, None]:
    """Start the server, connect to it, and close it at the end, as a client does."""
    server = StdioServerParameters(
        command=command[0], args=list(command[1:]), env=dict(environment)
    )
    async with Client(server) as client:
        yield Visit(client)
