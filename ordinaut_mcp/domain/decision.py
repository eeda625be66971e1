"""What was decided about a task or its slots: values that the store writes in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import RunId, RunKind, TaskId
from ordinaut_mcp.domain.task import TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedSlots:
    """A stretch of neighbouring slots that did not run, all for one reason."""

    reason: str
    first: datetime
    last: datetime
    count: int
    is_exact: bool = True
    """False: there were at least so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be made; `slot_key` makes it one for its task, whoever tries again."""

    slot_key: str
    kind: RunKind
    scheduled_for: datetime
    due_at: datetime
    priority: int
    serial: bool = False
    """Not before every earlier unfinished run of its task."""
    limit: Limit | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWrite:
    """What a task shall be from now on; `request` and `definition` make a new revision."""

    title: str
    tags: Sequence[str]
    status: TaskStatus
    note: str | None
    request: Mapping[str, Any]
    definition: Mapping[str, Any]
    next_run_at: datetime | None
    tz_version: str
    pipeline_digest: str
    runs_started: int = 0
    skips: Sequence[SkippedSlots] = ()
    """Slots of the schedule as it was that nobody took and that do not run any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWrite:
    """A change of a task's status that is no edit: the revision stays."""

    status: TaskStatus
    note: str | None
    next_run_at: datetime | None
    skips: Sequence[SkippedSlots] = ()
    cancel_queued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTask:
    """A task whose next slot has come, or is about to, as the scheduler sees it."""

    id: TaskId
    generation: int
    definition: Mapping[str, Any]
    next_run_at: datetime
    runs_started: int
    live_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounted:
    """What becomes of a due task's slots: a run, a skip with its reason, or still to come."""

    runs: Sequence[NewRun] = ()
    skips: Sequence[SkippedSlots] = ()
    next_run_at: datetime | None = None
    status: TaskStatus = TaskStatus.ACTIVE
    note: str | None = None
    tz_version: str = ""
    ends_older_runs: bool = False
    """What is still unfinished of this task makes room for the new runs."""
    last_slot_at: datetime | None = None
    """The newest slot that was accounted for, and its local time (naive)."""
    last_slot_local: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleTask:
    """A task whose next slot was computed with another release of tzdata."""

    id: TaskId
    definition: Mapping[str, Any]
    next_run_at: datetime
    last_slot_at: datetime | None
    last_slot_local: datetime | None
    revised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """Its next slot now; a task that cannot be computed is paused, with the note why."""

    next_run_at: datetime | None
    status: TaskStatus | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedRun:
    """An occurrence that was snoozed already and has not become due."""

    run_id: RunId
    scheduled_for: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoozeWrite:
    """What one snooze does: a run that starts later, a moved run moved again, or slots skipped."""

    run: NewRun | None = None
    moved: MovedRun | None = None
    to: datetime | None = None
    skips: Sequence[SkippedSlots] = ()
    next_run_at: datetime | None = None
    status: TaskStatus = TaskStatus.ACTIVE
    last_slot_at: datetime | None = None
    last_slot_local: datetime | None = None
