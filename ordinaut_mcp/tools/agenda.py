"""MCP tool about what is to come."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from ordinaut_mcp.tools import sentences
from ordinaut_mcp.tools.answers import AgendaAnswer, agenda_answer
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.parameters import Limit
from ordinaut_mcp.tools.registry import READS, Ctx, Registry, asked, desk


async def get_agenda(
    ctx: Ctx,
    hours: Annotated[float, Field(gt=0, le=8784, description="So far ahead.")] = 24,
    limit: Limit = 20,
) -> Annotated[CallToolResult, AgendaAnswer]:
    """Show what is to come across all your tasks, the soonest first.

    `state` is scheduled, snoozed (with the nominal instant in scheduled_for), paused (it will not
    run), excluded, late (due and not yet started), or what an unfinished run is doing.
    """
    caller, services = await asked(ctx)
    found = await services.agenda.get(caller, span=timedelta(hours=hours), limit=limit)
    facts = agenda_answer(found, desk(ctx).default_timezone)
    return answer(sentences.agenda(facts), facts)


def register(server: Registry) -> None:
    """Publish the tool about what is to come."""
    server.offer(get_agenda, title="Show the agenda", annotations=READS)
