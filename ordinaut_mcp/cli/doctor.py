"""`doctor`: checks every dependency and says how to mend what is wrong."""

from __future__ import annotations

from dataclasses import asdict

import typer

from ordinaut_mcp.cli.output import Json, data
from ordinaut_mcp.config import load_settings

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(as_json: Json = False) -> None:
    """Check every dependency; exits with 1 when one of them fails."""
    from ordinaut_mcp.app.examination import examine

    findings = examine(load_settings())
    lines = [
        f"{MARKS[one.verdict]}  {one.subject}: {one.says}"
        + (f"\n      → {one.mend}" if one.mend else "")
        for one in findings
    ]
    data([asdict(one) for one in findings], "\n".join(lines), as_json=as_json)
    raise typer.Exit(1 if any(one.verdict == "fail" for one in findings) else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
