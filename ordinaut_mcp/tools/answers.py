"""The shapes of answers: one set of models for MCP tools, HTTP and the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ordinaut_mcp.domain.decision import SnoozeWrite
from ordinaut_mcp.domain.instant import local_text, spoken, utc_text
from ordinaut_mcp.domain.run import Run, StepRecord, StepState, run_name
from ordinaut_mcp.domain.schedule import Occurrence
from ordinaut_mcp.domain.task import Task, task_name
from ordinaut_mcp.services.agenda import Agenda
from ordinaut_mcp.services.tasks import upcoming


class Instant(BaseModel):
    """One instant, twice: with the offset of the task's zone, and in UTC."""

    local: str
    utc: str


class OccurrenceView(Instant):
    note: str | None = None


class TaskView(BaseModel):
    id: str | None = Field(description="task_12; null in a dry run of a new task")
    key: str | None
    title: str
    status: str
    note: str | None
    schedule_kind: str
    schedule_expr: str
    schedule_says: str
    timezone: str
    start_at: str | None
    next_run_at: Instant | None
    generation: int
    owner: str
    description: str | None = None
    tags: list[str] = Field(default_factory=list)
    payload: dict[str, Any] | None = None
    rules: dict[str, Any] | None = None


class Verdicts(BaseModel):
    """Three verdicts, never mixed; null: not known (yet)."""

    executed: bool | None
    verified: bool | None
    delivered: bool | None


class StepView(BaseModel):
    id: str
    uses: str
    state: str
    attempt: int
    started_at: str | None
    finished_at: str | None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None


class RunView(BaseModel):
    id: str
    task: str
    title: str
    kind: str
    state: str
    reason: str | None
    scheduled_for: str
    due_at: str
    started_at: str | None
    finished_at: str | None
    lateness_ms: int | None
    attempt: int
    error: dict[str, Any] | None
    verdicts: Verdicts
    skipped_until: str | None = None
    skipped_count: int | None = None
    skipped_is_exact: bool | None = None
    steps: list[StepView] | None = None
    output: Any = None


class SavedAnswer(BaseModel):
    task: TaskView
    created: bool
    next: list[OccurrenceView]
    says: str
    warnings: list[str]


class PreviewAnswer(BaseModel):
    occurrences: list[OccurrenceView]
    complete: bool
    says: str
    timezone: str
    tzdata: str
    warnings: list[str]


class TasksAnswer(BaseModel):
    tasks: list[TaskView]
    next_cursor: str | None


class Moved(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    origin: Instant = Field(alias="from")
    to: Instant | None = Field(description="null: nothing of the task is to come after it")


class SnoozedAnswer(BaseModel):
    moved: Moved
    next: list[OccurrenceView]
    says: str


class AgendaEntry(BaseModel):
    at: Instant
    state: str
    task: str
    title: str
    run: str | None
    scheduled_for: str | None
    note: str | None


class AgendaAnswer(BaseModel):
    now: Instant
    until: Instant
    occurrences: list[AgendaEntry]
    truncated: bool


class TaskAnswer(BaseModel):
    task: TaskView
    says: str


class WholeTaskAnswer(BaseModel):
    task: TaskView
    next: list[OccurrenceView]
    runs: list[RunView]


class RunAnswer(BaseModel):
    run: RunView


class SentOnAnswer(BaseModel):
    run: RunView
    says: str


class RunsAnswer(BaseModel):
    runs: list[RunView]
    next_cursor: str | None


def instant(moment: datetime, timezone: str) -> Instant:
    """One instant in the task's zone and in UTC."""
    return Instant(local=local_text(moment, timezone), utc=utc_text(moment))


def occurrence_view(occurrence: Occurrence, timezone: str) -> OccurrenceView:
    """One occurrence; what is odd about it stands in its note."""
    place = instant(occurrence.at, timezone)
    note = occurrence.note or (f"excluded: {occurrence.excluded}" if occurrence.excluded else None)
    return OccurrenceView(local=place.local, utc=place.utc, note=note)


def task_view(task: Task, *, whole: bool = False) -> TaskView:
    """A task; `whole` adds what lists leave out."""
    definition = task.definition
    schedule = definition.schedule
    view = TaskView(
        id=task_name(task.id) if task.id else None,
        key=task.key,
        title=definition.title,
        status=task.status.value,
        note=task.note,
        schedule_kind=schedule.kind.value,
        schedule_expr=schedule.expr,
        schedule_says=schedule.describe(),
        timezone=schedule.timezone,
        start_at=schedule.start_at.isoformat() if schedule.start_at else None,
        next_run_at=instant(task.next_run_at, schedule.timezone) if task.next_run_at else None,
        generation=task.generation,
        owner=task.owner,
        tags=list(task.tags),
    )
    if whole:
        view.description = definition.description
        view.payload = {"pipeline": list(definition.pipeline), "params": dict(definition.params)}
        view.rules = definition.policies.to_dict()
    return view


def snoozed_answer(task: Task, write: SnoozeWrite) -> SnoozedAnswer:
    """What one snooze moved, and what comes now, the moved occurrence in its new place."""
    timezone = task.definition.schedule.timezone
    origin = _origin(write)
    coming = [occurrence_view(one, timezone) for one in _coming(task)]
    title = f"'{task.definition.title}' ({task.name})"
    left_out = sum(skip.count for skip in write.skips if skip.reason == "snoozed")
    if left_out:
        says = f"{title}: {left_out} occurrences are left out."
    else:
        says = f"{title}: this time at {spoken(write.to or origin, timezone)} ({timezone})."
        place = instant(write.to or origin, timezone)
        note = f"snoozed from {local_text(origin, timezone)}"
        coming = sorted(
            [OccurrenceView(local=place.local, utc=place.utc, note=note), *coming],
            key=lambda view: view.utc,
        )
    to = instant(write.to, timezone) if write.to else None
    moved = Moved.model_validate({"from": instant(origin, timezone), "to": to})
    return SnoozedAnswer(moved=moved, next=coming[:3], says=says)


def _origin(write: SnoozeWrite) -> datetime:
    if write.moved is not None:
        return write.moved.due_at
    if write.run is not None:
        return write.run.scheduled_for
    return write.skips[0].first


def _coming(task: Task) -> list[Occurrence]:
    return upcoming(task)


def agenda_answer(agenda: Agenda, timezone: str) -> AgendaAnswer:
    """The agenda in the shape that every caller gets; each row in its task's zone."""
    return AgendaAnswer(
        now=instant(agenda.now, timezone),
        until=instant(agenda.until, timezone),
        truncated=agenda.truncated,
        occurrences=[
            AgendaEntry(
                at=instant(entry.at, entry.timezone),
                state=entry.state,
                task=entry.task,
                title=entry.title,
                run=entry.run,
                scheduled_for=_maybe(entry.scheduled_for, entry.timezone),
                note=entry.note,
            )
            for entry in agenda.entries
        ],
    )


def run_view(run: Run, *, whole: bool = False) -> RunView:
    """A run; `whole` adds its output and every step, those without a line as pending."""
    view = RunView(
        id=run_name(run.id),
        task=task_name(run.task_id),
        title=run.title,
        kind=run.kind.value,
        state=run.state.value,
        reason=run.reason,
        scheduled_for=local_text(run.scheduled_for, run.timezone),
        due_at=local_text(run.due_at, run.timezone),
        started_at=_maybe(run.started_at, run.timezone),
        finished_at=_maybe(run.finished_at, run.timezone),
        lateness_ms=run.lateness_ms,
        attempt=run.attempt,
        error=dict(run.error) if run.error else None,
        verdicts=Verdicts(executed=run.executed, verified=run.verified, delivered=run.delivered),
        skipped_until=_maybe(run.skipped_until, run.timezone),
        skipped_count=run.skipped_count,
        skipped_is_exact=run.skipped_is_exact,
    )
    if whole:
        view.steps = _steps(run)
        view.output = run.output
    return view


def step_view(step: StepRecord, timezone: str) -> StepView:
    """One line of the journal."""
    return StepView(
        id=step.path,
        uses=step.uses,
        state=step.state.value,
        attempt=step.attempt,
        started_at=_maybe(step.started_at, timezone),
        finished_at=_maybe(step.finished_at, timezone),
        input=step.input,
        output=step.output,
        error=dict(step.error) if step.error else None,
    )


def _steps(run: Run) -> list[StepView]:
    journalled = {step.path: step for step in run.steps}
    for position, step in enumerate(run.pipeline):
        journalled.setdefault(
            step["id"],
            StepRecord(
                path=step["id"],
                position=position,
                uses=step.get("uses", ""),
                state=StepState.PENDING,
            ),
        )
    ordered = sorted(journalled.values(), key=lambda step: (step.position, step.path))
    return [step_view(_told(step, run), run.timezone) for step in ordered]


def _told(step: StepRecord, run: Run) -> StepRecord:
    """A call that was under way when its run was ended: nobody knows what became of it."""
    ended = run.finished_at is not None and step.state is StepState.RUNNING
    return replace(step, state=StepState.UNKNOWN) if ended else step


def _maybe(moment: datetime | None, timezone: str) -> str | None:
    return local_text(moment, timezone) if moment else None
