"""What becomes of slots that are about to be due, computed before they are.

Many tasks are often due in one moment. What can be known of their slots beforehand is known when
the moment comes: their definitions are read, and the slots that follow are found. Nothing is
decided ahead: an edit, a late start or a moved clock makes it compute anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ordinaut_mcp.domain.decision import DueTask
from ordinaut_mcp.domain.occurrence import ON_TIME, Accounting, account
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import TaskDefinition
from ordinaut_mcp.errors import OrdinautError

KEPT_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A task as it will be at its next slot, when it starts in time."""

    definition: TaskDefinition
    accounting: Accounting


class Foresight:
    """Remembers what was foreseen, by task, revision and slot."""

    def __init__(self) -> None:
        self._foreseen: dict[tuple[int, int, datetime], Foreseen] = {}

    def __len__(self) -> int:
        return len(self._foreseen)

    def look(self, task: DueTask) -> None:
        """Compute what becomes of its next slot; what cannot be computed is left to the moment."""
        name = (task.id, task.generation, task.next_run_at)
        if name in self._foreseen:
            return
        try:
            self._foreseen[name] = _computed(task, now=task.next_run_at)
        except (OrdinautError, LookupError, TypeError, ValueError):
            return

    def take(self, task: DueTask, now: datetime) -> Foreseen:
        """What becomes of its slots now.

        Raises:
            InvalidInput, Conflict: it cannot be computed.
        """
        found = self._foreseen.pop((task.id, task.generation, task.next_run_at), None)
        if found is not None and _holds(found.accounting, task.next_run_at, now):
            return found
        return _computed(task, now=now)

    def forget(self, now: datetime) -> None:
        """Let go of what was never asked for."""
        old = [name for name in self._foreseen if name[2] < now - KEPT_FOR]
        for name in old:
            del self._foreseen[name]


def _computed(task: DueTask, *, now: datetime) -> Foreseen:
    definition = TaskDefinition.from_dict(task.definition)
    accounting = account(
        computable(definition.schedule),
        due_from=task.next_run_at,
        now=now,
        policy=definition.policies.misfire_policy,
    )
    return Foreseen(definition, accounting)


def _holds(accounting: Accounting, due_from: datetime, now: datetime) -> bool:
    """Whether nothing came in between: the slot is in time, and the next one is still to come."""
    is_in_time = due_from <= now <= due_from + ON_TIME
    return is_in_time and (accounting.next_at is None or now < accounting.next_at)
