"""`tools`: the tool servers that pipelines may call."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import typer

from ordinaut_mcp.cli.output import Json, data, say
from ordinaut_mcp.config import load_settings

app = typer.Typer(help="The tool servers that pipelines may call.", no_args_is_help=True)


@app.command("list")
def list_servers(as_json: Json = False) -> None:
    """List the tool servers of the tools file, and what is wrong with entries."""
    from ordinaut_mcp.bridge.tools_file import read_tools_file

    path = load_settings().tools_path
    found = read_tools_file(path)
    facts: dict[str, Any] = {
        "file": str(path),
        "servers": [config.name for config in found.servers],
        "problems": [
            {"line": problem.line, "server": problem.server, "message": problem.message}
            for problem in found.problems
        ],
    }
    lines = [*facts["servers"], *(f"{path}: {problem}" for problem in found.problems)]
    data(facts, "\n".join(lines) or f"No tool servers in {path}.", as_json=as_json)
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def test(
    name: Annotated[str, typer.Argument(help="The server's name in the tools file.")],
    as_json: Json = False,
) -> None:
    """Start one tool server, list its tools, and stop it again."""
    from ordinaut_mcp.app.probe import probe

    found = anyio.run(probe, load_settings().tools_path, name)
    facts = {
        "server": name,
        "state": found.status.state.value,
        "error": found.status.error,
        "tools": [tool.uses for tool in found.tools],
    }
    say(found.status.error or f"{name} is {found.status.state.value}.")
    data(facts, "\n".join(tool.uses for tool in found.tools), as_json=as_json)
    raise typer.Exit(0 if found.is_ready else 4)
