"""`agenda` and `backfill`: what is to come, and runs for what should have been."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from ordinaut_mcp.cli.output import Json, data, say
from ordinaut_mcp.config import load_settings
from ordinaut_mcp.services.agenda import Agenda
from ordinaut_mcp.services.backfills import Backfilled
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services


def agenda(
    hours: Annotated[float, typer.Option(min=0.01, max=8784, help="So far ahead.")] = 24,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    ics: Annotated[bool, typer.Option("--ics", help="As an iCalendar file on stdout.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is to come across all tasks, with what is late, paused, moved or left out."""
    from ordinaut_mcp.app.asking import ask
    from ordinaut_mcp.tools.answers import agenda_answer
    from ordinaut_mcp.tools.sentences import agenda as in_words

    settings = load_settings()

    async def look(services: Services, caller: Caller) -> Agenda:
        return await services.agenda.get(caller, span=timedelta(hours=hours), limit=limit)

    found = ask(settings, look)
    if ics:
        from ordinaut_mcp.app.calendar import calendar_of

        typer.echo(calendar_of(found), nl=False)
        return
    facts = agenda_answer(found, settings.zone_name)
    data(facts.model_dump(mode="json"), in_words(facts), as_json=as_json)


def backfill(
    task: Annotated[str, typer.Argument(help="The task: its id or its key.")],
    since: Annotated[str, typer.Option("--from", help="The first instant, inclusive.")],
    until: Annotated[str, typer.Option("--to", help="The end, exclusive; not after now.")],
    per_minute: Annotated[int, typer.Option(min=1, max=6000, help="So many runs a minute.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the slots.")] = False,
    as_json: Json = False,
) -> None:
    """Run a task for each slot of a past range, half-open; doing it again makes none twice."""
    from ordinaut_mcp.app.asking import ask
    from ordinaut_mcp.domain.instant import local_text, parse_instant

    async def order(services: Services, caller: Caller) -> tuple[str, Backfilled]:
        found, _ = await services.tasks.get(caller, task)
        timezone = found.definition.schedule.timezone
        return timezone, await services.backfills.backfill(
            caller,
            task,
            since=parse_instant(since, field="from", timezone=timezone),
            until=parse_instant(until, field="to", timezone=timezone),
            per_minute=per_minute,
            dry_run=dry_run,
        )

    timezone, done = ask(load_settings(), order)
    slots = [local_text(slot.at, timezone) for slot in done.occurrences]
    say(f"{len(slots)} slots, {done.made} runs ordered" + (" (dry run)." if dry_run else "."))
    data({"slots": slots, "made": done.made}, "\n".join(slots), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(agenda)
    app.command()(backfill)
