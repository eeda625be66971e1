"""The agenda as an iCalendar file: each occurrence an event of its own (RFC 5545)."""

from __future__ import annotations

from datetime import timedelta

from icalendar import Calendar, Event
from icalendar.enums import STATUS

from ordinaut_mcp.domain.run import RunKind
from ordinaut_mcp.services.agenda import Agenda, Entry

SHOWN_LENGTH = timedelta(minutes=5)
WILL_NOT_RUN = frozenset({"paused", "excluded"})


def calendar_of(agenda: Agenda) -> bytes:
    """The file; an occurrence keeps its UID when it is snoozed, so that calendars move it."""
    calendar = Calendar.new(name="Ordinaut", prodid="-//Ordinaut//Agenda//EN")
    for entry in agenda.entries:
        calendar.add_component(_event(entry, agenda))
    return calendar.to_ical()


def _name(entry: Entry) -> str:
    if entry.run and entry.kind is not RunKind.SCHEDULE:
        return entry.run
    return f"{entry.task}-{entry.scheduled_for or entry.at:%Y%m%dT%H%M%SZ}"


def _event(entry: Entry, agenda: Agenda) -> Event:
    ghost = entry.state in WILL_NOT_RUN
    summary = entry.title if entry.state == "scheduled" else f"{entry.title} ({entry.state})"
    return Event.new(
        uid=f"{_name(entry)}@ordinaut",
        summary=summary,
        description=entry.note,
        start=entry.at,
        end=entry.at + SHOWN_LENGTH,
        stamp=agenda.now,
        status=STATUS.CANCELLED if ghost else STATUS.CONFIRMED,
    )
