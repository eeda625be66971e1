"""Data go to stdout, messages to stderr."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def data(facts: Any, text: str, *, as_json: bool) -> None:
    """Facts as JSON, or as text for a person."""
    typer.echo(json.dumps(facts, ensure_ascii=False, indent=2) if as_json else text)


def say(message: str) -> None:
    """A message for a person."""
    typer.echo(message, err=True)
