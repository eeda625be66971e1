"""The stdio server: MCP on stdin and stdout, everything else on stderr."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager

import anyio

from ordinaut_mcp import logs
from ordinaut_mcp.app.desk import local_desk
from ordinaut_mcp.app.gate import Gate, own_stdin
from ordinaut_mcp.config import load_settings
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.server import OrdinautServer
from ordinaut_mcp.services.desk import Desk


def serve_stdio() -> int:
    """Serve until stdin ends; the exit code."""
    try:
        settings = load_settings()
    except OrdinautError as error:
        sys.stderr.write(f"ordinaut-mcp: {error.message} {error.hint or ''}\n")
        return 1

    def life() -> AbstractAsyncContextManager[Desk]:
        return local_desk(settings)

    server = OrdinautServer(life)
    logs.quiet()
    anyio.run(_serve, server)
    return 0


async def _serve(server: OrdinautServer) -> None:
    await server.run_lines(Gate(own_stdin(), server.refuse))
