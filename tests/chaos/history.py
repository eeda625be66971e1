"""What a campaign leaves behind: values that the checker judges, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSeen:
    """A task at the end; what lies before `next_run_at` is accounted for."""

    id: int
    status: str
    definition: Mapping[str, Any]
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSeen:
    """A slot that became a run."""

    task_id: int
    key: str
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run at the end, or a stretch of slots that were skipped."""

    id: int
    task_id: int
    kind: str
    state: str
    reason: str | None
    scheduled_for: datetime
    skipped_until: datetime | None = None
    skipped_count: int | None = None
    skipped_is_exact: bool | None = None
    attempt: int = 0
    events: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeen:
    """A row of the queue at the end."""

    run_id: int
    state: str
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeen:
    """A line of the journal at the end; `call`: which call its output says that it is of."""

    run_id: int
    path: str
    uses: str
    state: str
    call: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    """A row of the outbox at the end."""

    id: int
    run_id: int | None
    sequence: int | None
    topic: str
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySeen:
    """An entry of a stream, in the order of the stream."""

    stream: str
    event_id: int
    run_id: int | None
    sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One row that one statement wrote, as a trigger saw it; `id` orders what row locks order.

    `source` is due_work, step, run, permit or process, `op` the first letter of INSERT, UPDATE
    or DELETE. A DELETE has only the `old_…`. `who` is the process that wrote, by the name that
    the harness gave it. `key` is a step's path, a permit's key or a run's concurrency key,
    `place` a permit's number or how many places a run may choose from, and `digest` stands for the
    output, of due_work for the end of the lease.
    """

    id: int
    transaction: int
    at: datetime
    who: str | None
    source: str
    op: str
    run_id: int | None
    key: str | None = None
    place: int | None = None
    epoch: int | None = None
    old_epoch: int | None = None
    state: str | None = None
    old_state: str | None = None
    process_id: int | None = None
    old_process_id: int | None = None
    digest: str | None = None
    old_digest: str | None = None
    old_run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the tool server knows it. `how`: ok, failed, or None when it never answered."""

    id: str
    tool: str
    key: str | None
    run_id: int
    step: str
    digest: str
    began: datetime
    ended: datetime | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run that was promised to a caller."""

    task_id: int
    key: str
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Three numbers of one snapshot, taken in the middle."""

    at: datetime
    materialised: int
    live: int
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is known of a campaign.

    `late`: what did not come about in its time after the healing. `entries`: None where nothing
    is published yet.
    """

    tasks: Sequence[TaskSeen] = ()
    slots: Sequence[SlotSeen] = ()
    runs: Sequence[RunSeen] = ()
    live: Sequence[LiveSeen] = ()
    steps: Sequence[StepSeen] = ()
    events: Sequence[EventSeen] = ()
    entries: Sequence[EntrySeen] | None = None
    writes: Sequence[Write] = ()
    calls: Sequence[Call] = ()
    orders: Sequence[Order] = ()
    samples: Sequence[Sample] = ()
    late: Sequence[str] = ()
