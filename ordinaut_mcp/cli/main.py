"""The command line: its verbs, its exit codes, and how errors are told to a person."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from ordinaut_mcp import __version__, logs
from ordinaut_mcp.cli import (
    agenda,
    backup,
    controls,
    demo,
    doctor,
    local,
    preview,
    schema,
    serve,
    tools,
)
from ordinaut_mcp.cli import run as runs
from ordinaut_mcp.errors import NotAllowed, NotFound, OrdinautError, Unavailable

EXIT: Final[Mapping[type[OrdinautError], int]] = {NotFound: 3, Unavailable: 4, NotAllowed: 5}

app = typer.Typer(
    name="ordinaut-mcp",
    help="Time, state and discipline for AI agents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        # Eager: it needs no command behind it.
        typer.Option(
            "--version", help="Say the version and leave.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Time, state and discipline for AI agents: a durable scheduler that any MCP client mounts."""
    del version


for noun in (serve, local, controls, schema, doctor, demo, preview, agenda, backup):
    noun.register(app)
app.add_typer(runs.app, name="run")
app.add_typer(tools.app, name="tools")


def run() -> int:
    """Run the command; the exit code."""
    logs.quiet()
    try:
        app(standalone_mode=True)
    except OrdinautError as error:
        return _told(error)
    except KeyboardInterrupt:
        return 130
    return 0


def _told(error: OrdinautError) -> int:
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
    lines = [error.message]
    if error.allowed:
        lines.append(f"Allowed: {', '.join(error.allowed)}")
    if error.hint:
        lines.append(error.hint)
    typer.echo("\n".join(lines), err=True)
    return code_of(error)


def code_of(error: OrdinautError) -> int:
    """The exit code of an error: 3 not found, 4 a dependency, 5 not allowed, else 1."""
    return next((code for kind, code in EXIT.items() if isinstance(error, kind)), 1)
