"""`migrate`: the schema of the database."""

from __future__ import annotations

from typing import Annotated

import typer

from ordinaut_mcp.cli.output import say
from ordinaut_mcp.config import load_settings


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only look; exit 1 when it is not current.")
    ] = False,
    to: Annotated[int | None, typer.Option(help="Go to this number, forward or back.")] = None,
) -> None:
    """Bring the schema to the newest version, or to one of your choice."""
    from ordinaut_mcp.app.asking import database_url
    from ordinaut_mcp.store import migrate as migrations

    url = database_url(load_settings())
    if check:
        state = migrations.schema_state(url)
        say(state.problem or f"The schema is current ({state.applied}).")
        raise typer.Exit(1 if state.problem else 0)
    done = migrations.migrate(url, to=to)
    say("\n".join(done) or "The schema is current; nothing was done.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)
