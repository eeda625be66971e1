"""`demo`: the main job, seen with your own eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import typer

from ordinaut_mcp.cli.output import Json, data, say
from ordinaut_mcp.config import load_settings


def demo(
    home: Annotated[
        Path | None, typer.Option(help="Its own data folder; default: 'demo' in ORDINAUT_HOME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Schedule a pipeline over stdio, close the client, and see that it ran: under a minute."""
    from ordinaut_mcp.app.demo import demonstrate, in_words
    from ordinaut_mcp.embedded.home import Home
    from ordinaut_mcp.embedded.launcher import stop_runtime

    folder = (home or load_settings().home / "demo").absolute()
    try:
        run = anyio.run(demonstrate, folder, say)
    finally:
        stop_runtime(Home(folder))
    data(run, in_words(run, folder), as_json=as_json)
    raise typer.Exit(0 if run["state"] == "succeeded" else 1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)
