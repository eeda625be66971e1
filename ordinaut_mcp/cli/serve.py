"""`serve`: MCP over stdio."""

from __future__ import annotations

from typing import Annotated

import typer

from ordinaut_mcp.errors import NotAvailable


def serve(
    http: Annotated[
        bool, typer.Option("--http", help="Streamable HTTP (not in this version).")
    ] = False,
    host: Annotated[str, typer.Option(help="With --http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http.")] = 8765,
) -> None:
    """Serve MCP over stdio; starts the local runtime when none answers."""
    if http:
        raise NotAvailable(
            f"serve --http ({host}:{port}) is not available in this version.",
            hint="Use stdio: `ordinaut-mcp serve`.",
        )
    from ordinaut_mcp.app.stdio import serve_stdio

    raise typer.Exit(serve_stdio())


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)
