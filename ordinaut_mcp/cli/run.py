"""`run`: act on runs, as the tools do."""

from __future__ import annotations

from typing import Annotated

import typer

from ordinaut_mcp.cli.output import Json, data
from ordinaut_mcp.config import load_settings
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.services.redrives import SentOn

app = typer.Typer(help="Act on runs.", no_args_is_help=True)


@app.callback()
def options() -> None:
    """Act on runs, as the tools do."""


@app.command()
def retry(
    run: Annotated[str, typer.Argument(help="The run's id, such as run_345.")],
    from_step: Annotated[
        str | None, typer.Option(help="This step and all after it are called anew.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a dead letter or a canceled run again, let a waiting one go on, try a retrying one."""
    from ordinaut_mcp.app.asking import ask
    from ordinaut_mcp.tools import sentences
    from ordinaut_mcp.tools.answers import SentOnAnswer, run_view
    from ordinaut_mcp.tools.cutting import cut

    async def send(services: Services, caller: Caller) -> SentOn:
        return await services.redrives.retry(caller, run, from_step=from_step)

    sent = ask(load_settings(), send)
    view = cut(run_view(sent.run, whole=True))
    facts = SentOnAnswer(run=view, says=sentences.sent_on(view, sent.how))
    text = f"{facts.says}\n{sentences.whole_run(view)}"
    data(facts.model_dump(mode="json"), text, as_json=as_json)
