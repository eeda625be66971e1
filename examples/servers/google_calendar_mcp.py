"""google-calendar-mcp: a small tool server with a MADE-UP calendar, the same every week.

It speaks to no Google: it shows how a pipeline calls a calendar. Times of day are those of the
offset in which `start` is given.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, TypedDict

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
LONGEST = timedelta(days=31)
EVERY_DAY = (("Focus time", time(9, 0), 90), ("Lunch", time(12, 30), 45))
ON_WEEKDAY = (
    ("Week planning", time(10, 30), 60),
    ("Design review", time(11, 0), 60),
    ("One-to-one with Ana", time(15, 0), 30),
    ("Customer call", time(16, 0), 45),
    ("Retrospective", time(14, 0), 60),
    ("Long walk", time(11, 0), 120),
    ("Family dinner", time(18, 0), 150),
)
"""From Monday to Sunday."""

server = MCPServer("google-calendar-mcp", instructions="A made-up calendar for examples and tests.")


class Event(TypedDict):
    """One entry; `start` and `end` are ISO-8601 with offset."""

    title: str
    start: str
    end: str


class Events(TypedDict):
    """The entries of a window, in order."""

    events: list[Event]
    made_up: bool


@server.tool(title="List calendar events", annotations=READ_ONLY)
def list_events(
    start: Annotated[str, Field(description="ISO-8601 with an offset; included.")],
    end: Annotated[str, Field(description="ISO-8601 with an offset; excluded.")],
) -> Events:
    """List the (made-up) events that begin in a window of at most 31 days."""
    first, last = instant(start), instant(end)
    if not first <= last <= first + LONGEST:
        raise ToolError("end must be after start, and at most 31 days later")
    days = range((last - first).days + 2)
    events = [event for day in days for event in events_on(first + timedelta(days=day))]
    inside = [event for event in events if first <= datetime.fromisoformat(event["start"]) < last]
    return Events(events=inside, made_up=True)


def instant(text: str) -> datetime:
    """An ISO-8601 instant; one without an offset is refused."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ToolError(f"{text!r} is not ISO-8601") from None
    if found.tzinfo is None:
        raise ToolError(f"{text!r} has no offset from UTC")
    return found


def events_on(day: datetime) -> list[Event]:
    """What is in the calendar on the date of `day`."""
    entries = sorted([*EVERY_DAY, ON_WEEKDAY[day.weekday()]], key=lambda entry: entry[1])
    begins = [datetime.combine(day, at, tzinfo=day.tzinfo) for _, at, _ in entries]
    return [
        Event(
            title=title,
            start=begin.isoformat(),
            end=(begin + timedelta(minutes=minutes)).isoformat(),
        )
        for (title, _, minutes), begin in zip(entries, begins, strict=True)
    ]


if __name__ == "__main__":
    server.run()
