"""`preview`: what a schedule means, in words and in instants."""

from __future__ import annotations

from typing import Annotated

import typer

from ordinaut_mcp.cli.output import Json, data
from ordinaut_mcp.clock import utc_now
from ordinaut_mcp.config import load_settings


def preview(
    expr: Annotated[str, typer.Argument(help="The schedule, for example '0 8 * * 1-5'.")],
    kind: Annotated[str, typer.Option(help="auto, in, once, interval, cron, rrule")] = "auto",
    timezone: Annotated[str | None, typer.Option(help="IANA zone.")] = None,
    start_at: Annotated[str | None, typer.Option(help="The anchor, local time.")] = None,
    after: Annotated[str | None, typer.Option(help="Occurrences after this instant.")] = None,
    count: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: Json = False,
) -> None:
    """Show the next occurrences of a schedule; stores nothing and needs no runtime."""
    from ordinaut_mcp.domain.schedule import ScheduleRequest
    from ordinaut_mcp.services.schedules import preview as look
    from ordinaut_mcp.tools.schedules import preview_answer

    zone = timezone or load_settings().zone_name
    request = ScheduleRequest(expr=expr, kind=kind, timezone=zone, start_at=start_at)
    facts = preview_answer(look(request, after=after, count=count, now=utc_now()))
    lines = [f"  {one.local}  {one.utc}  {one.note or ''}".rstrip() for one in facts.occurrences]
    ends = ["  (the series ends there)"] if facts.complete else []
    notes = [f"Warning: {warning}" for warning in facts.warnings]
    text = "\n".join([facts.says, *lines, *ends, *notes])
    data(facts.model_dump(mode="json"), text, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)
