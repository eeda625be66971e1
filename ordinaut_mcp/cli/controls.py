"""`pause` and `resume`: the whole runtime, of every agent."""

from __future__ import annotations

from typing import Annotated

import typer

from ordinaut_mcp.cli.output import Json, data
from ordinaut_mcp.config import load_settings
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services


def pause(
    note: Annotated[str | None, typer.Option(help="Why, for whoever looks.")] = None,
    as_json: Json = False,
) -> None:
    """Let nothing start, of any agent, until `resume`; restarts change nothing."""
    _control(paused=True, note=note, as_json=as_json)


def resume(as_json: Json = False) -> None:
    """Let things start again after `pause`."""
    _control(paused=False, note=None, as_json=as_json)


def _control(*, paused: bool, note: str | None, as_json: bool) -> None:
    from ordinaut_mcp.app.asking import ask
    from ordinaut_mcp.tools.controls import ControlAnswer, control
    from ordinaut_mcp.tools.status import sentence

    async def change(services: Services, caller: Caller) -> ControlAnswer:
        return await control(caller, services, paused=paused, note=note)

    facts = ask(load_settings(), change)
    data(facts.model_dump(mode="json"), f"{facts.says}\n{sentence(facts)}", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command()(resume)
