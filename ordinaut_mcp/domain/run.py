"""A run: one execution of a task, its attempts, its steps, and how they end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from ordinaut_mcp.errors import NotFound

TaskId = NewType("TaskId", int)
RunId = NewType("RunId", int)
ProcessId = NewType("ProcessId", int)

_RUN = re.compile(r"run_([1-9][0-9]{0,17})")


def run_name(run_id: int) -> str:
    """How callers know a run."""
    return f"run_{run_id}"


def parse_run_name(text: str) -> RunId:
    """The run's number.

    Raises:
        NotFound: the text is no run id; nobody else's ids are told apart from nonsense.
    """
    found = _RUN.fullmatch(text)
    if not found:
        raise no_such_run(text)
    return RunId(int(found[1]))


def no_such_run(text: str) -> NotFound:
    """The one answer for runs that do not exist and runs of others."""
    shown = text if len(text) <= 60 else text[:60] + "…"
    return NotFound(
        f"There is no run '{shown}'.", field="run", hint="Call list_runs and use an id from there."
    )


class RunState(StrEnum):
    """Where a run is in its life; docs/run-states.md draws it."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


LIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.RETRYING, RunState.WAITING})


class RunKind(StrEnum):
    """What ordered the run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    EVENT = "event"
    BACKFILL = "backfill"


class StepState(StrEnum):
    """Where a step of a run is."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One worker's right to execute one run.

    `epoch` fences the right: each claim raises it and nothing ever lowers it, so that
    whatever a former holder still writes is refused.
    """

    run_id: RunId
    created_at: datetime
    """Names the partition of the run, so that every write touches one."""
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One line of the journal: the rendered input before the call, the output after it."""

    path: str
    position: int
    uses: str
    state: StepState
    attempt: int = 0
    input: Any = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRun:
    """A run as a worker receives it: the revision that it began with and what is journalled."""

    lease: Lease
    task_id: TaskId
    generation: int
    """Names the revision: runs of one revision have one and the same definition."""
    task_key: str | None
    owner: str
    kind: RunKind
    attempt: int
    failures: int
    """Failed attempts so far; releases and crashes are not among them."""
    crashes: int
    redrive: int
    """How often somebody sent it again; it enters the keys of the steps called from then on."""
    scheduled_for: datetime
    started_at: datetime
    """The first claim: `now` of the whole run, whatever the attempt."""
    definition: Mapping[str, Any]
    params: Mapping[str, Any]
    journal: Mapping[str, StepRecord] = field(default_factory=dict[str, StepRecord])


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every step ended well; `output` is the last step's."""

    output: Any
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """This attempt failed; `retry_at_seconds` from now it is tried again, None: never."""

    error: Mapping[str, Any]
    retry_in_seconds: float | None = None
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The attempt was interrupted by us, not by its own fault; it does not count."""


@dataclass(frozen=True, slots=True)
class Parked:
    """The run waits for a person, an event or a time, and holds no worker."""

    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody asked for the end of this run."""

    reason: str


Outcome = Succeeded | Failed | Released | Parked | Cancelled


@dataclass(frozen=True, slots=True)
class JournalLine:
    """What is to be journalled of one step; the instants are on this process's monotonic clock.

    A line in state `running` is an intent, written before a call that has effects. The others
    may be written later, together with what comes after them, at the latest with the settlement.
    """

    record: StepRecord
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Lines of one run that are written together, in order, one for each step."""

    lease: Lease
    lines: Sequence[JournalLine]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended, with the lines that the journal does not have yet."""

    lease: Lease
    outcome: Outcome
    lines: Sequence[JournalLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as callers see it."""

    id: RunId
    task_id: TaskId
    title: str
    timezone: str
    kind: RunKind
    state: RunState
    reason: str | None
    scheduled_for: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    error: Mapping[str, Any] | None
    executed: bool | None
    verified: bool | None
    delivered: bool | None
    output: Any = None
    skipped_until: datetime | None = None
    skipped_count: int | None = None
    skipped_is_exact: bool | None = None
    steps: tuple[StepRecord, ...] = ()
    pipeline: Sequence[Mapping[str, Any]] = ()
    """The pipeline of the revision that the run began with; only where the run is whole."""

    @property
    def lateness_ms(self) -> int | None:
        """Started minus due, in milliseconds; None before the start."""
        if self.started_at is None:
            return None
        return max(0, round((self.started_at - self.due_at).total_seconds() * 1000))
