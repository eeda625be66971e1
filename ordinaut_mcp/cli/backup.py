"""`backup` and `restore`: the data as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ordinaut_mcp.cli.output import Json, data, say
from ordinaut_mcp.config import load_settings


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; a new file.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write tasks, runs, steps and events into one file; the runtime may go on meanwhile."""
    from ordinaut_mcp.app.backup import back_up

    saved = back_up(load_settings(), file, force=force)
    say("Not in it: the tools file, the settings, secrets and their key. Keep those, too.")
    facts = {"file": str(saved.file), "bytes": saved.size, "schema": saved.schema}
    text = f"{saved.file}: {saved.size:,} bytes, schema {saved.schema}"
    data(facts, text, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` wrote.")],
    as_json: Json = False,
) -> None:
    """Bring a backup into a home or database without tasks, while nothing else runs."""
    from ordinaut_mcp.app.backup import restore as bring_back

    done = bring_back(load_settings(), file)
    counts = done.counts
    say("Start it with `ordinaut-mcp up`: what is due runs then. Never run the original beside it.")
    facts = {
        "file": str(done.file),
        "tasks": counts.tasks,
        "unfinished_runs": counts.unfinished,
        "taken_back": counts.taken_back,
        "migrated": list(done.migrated),
    }
    text = (
        f"{counts.tasks} tasks and {counts.unfinished} unfinished runs are back; "
        f"{counts.taken_back} of them had been running and are queued again."
    )
    data(facts, text, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
