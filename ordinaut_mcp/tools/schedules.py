"""MCP tool about schedules: what an expression means, before anything is stored."""

from __future__ import annotations

from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from ordinaut_mcp.clock import utc_now
from ordinaut_mcp.domain.schedule import ScheduleRequest
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.services.schedules import Preview, preview
from ordinaut_mcp.tools.answers import PreviewAnswer, occurrence_view
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.parameters import (
    EndAt,
    Exclude,
    ExcludeCalendar,
    Expr,
    Gap,
    Kind,
    StartAt,
    Zone,
)
from ordinaut_mcp.tools.registry import READS, Ctx, Registry, desk


async def preview_schedule(
    schedule_expr: Expr,
    ctx: Ctx,
    schedule_kind: Kind = "auto",
    timezone: Zone = None,
    start_at: StartAt = None,
    end_at: EndAt = None,
    exclude: Exclude = None,
    exclude_calendar: ExcludeCalendar = None,
    gap: Gap = None,
    after: Annotated[
        str | None, Field(max_length=40, description="Occurrences after this instant; default now.")
    ] = None,
    count: Annotated[int, Field(ge=1, le=50)] = 5,
) -> Annotated[CallToolResult, PreviewAnswer]:
    """Show what a schedule expression means: the next occurrences, in words, local time and UTC.

    Stores nothing. Use it to check a schedule with the user before schedule_task. `complete` is
    true when the series ends with the last occurrence shown; notes stand at clock changes.
    """
    request = ScheduleRequest(
        expr=schedule_expr,
        kind=schedule_kind,
        timezone=timezone or desk(ctx).default_timezone,
        start_at=start_at,
        end_at=end_at,
        exclude=tuple(exclude or ()),
        exclude_calendar=exclude_calendar,
        gap=gap,
    )
    facts = preview_answer(preview(request, after=after, count=count, now=utc_now()))
    lines = [f"  {one.local}{f' ({one.note})' if one.note else ''}" for one in facts.occurrences]
    notes = [f"Warning: {warning}" for warning in facts.warnings]
    end = ["The series ends there."] if facts.complete else []
    return answer("\n".join([facts.says, *lines, *end, *notes]), facts)


def preview_answer(found: Preview) -> PreviewAnswer:
    """The preview in the shape that every caller gets."""
    timezone = found.schedule.timezone
    return PreviewAnswer(
        occurrences=[occurrence_view(one, timezone) for one in found.occurrences],
        complete=found.complete,
        says=found.schedule.describe(),
        timezone=timezone,
        tzdata=TZDATA_VERSION,
        warnings=list(found.warnings),
    )


def register(server: Registry) -> None:
    """Publish the tool about schedules."""
    server.offer(preview_schedule, title="Preview a schedule", annotations=READS)
