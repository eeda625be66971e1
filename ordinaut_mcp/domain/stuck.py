"""A schedule that cannot be computed any more, such as one in a zone that tzdata has dropped.

It is shown as what it is: it never becomes UTC, and it never spoils a list of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ordinaut_mcp.domain.schedule import Kind, Occurrence, Schedule
from ordinaut_mcp.errors import Conflict, InvalidInput


@dataclass(frozen=True, slots=True)
class StuckSchedule:
    """What was stored, and why it cannot be computed."""

    stored: Mapping[str, Any]
    why: str

    @property
    def kind(self) -> Kind:
        """As it was stored."""
        return Kind(self.stored["kind"])

    @property
    def expr(self) -> str:
        """As it was stored."""
        return str(self.stored["expr"])

    @property
    def timezone(self) -> str:
        """As it was stored; no zone of this tzdata."""
        return str(self.stored["timezone"])

    @property
    def start_at(self) -> datetime | None:
        """Not to be told without the zone."""
        return None

    def describe(self) -> str:
        """That it is stuck, and why."""
        return f"'{self.expr}' cannot be computed: {self.why}"

    def warnings(self, now: datetime) -> list[str]:
        """Why it is stuck."""
        del now
        return [self.describe()]

    def slots_after(self, after: datetime) -> Iterator[Occurrence]:
        """None are known."""
        del after
        return iter(())

    def to_dict(self) -> dict[str, Any]:
        """What was stored."""
        return dict(self.stored)


AnySchedule = Schedule | StuckSchedule


def read_schedule(stored: Mapping[str, Any]) -> AnySchedule:
    """The schedule that was stored, or that it is stuck."""
    try:
        return Schedule.from_dict(stored)
    except InvalidInput as error:
        return StuckSchedule(stored, error.message)


def computable(schedule: AnySchedule) -> Schedule:
    """The schedule, when it can be computed.

    Raises:
        Conflict: it is stuck.
    """
    if isinstance(schedule, StuckSchedule):
        raise Conflict(
            schedule.describe(),
            field="task",
            hint="Give the task a zone that exists: update_task with timezone.",
        )
    return schedule
