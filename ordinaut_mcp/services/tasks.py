"""Tasks: scheduled, looked up, changed, paused, canceled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ordinaut_mcp.domain import pausing
from ordinaut_mcp.domain.decision import StatusWrite, TaskWrite
from ordinaut_mcp.domain.run import Run, TaskId
from ordinaut_mcp.domain.schedule import Occurrence, Schedule, ScheduleLimits, compile_schedule
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus
from ordinaut_mcp.domain.task_request import (
    kept,
    merged,
    plain_request,
    policies,
    same_schedule,
    schedule_request,
)
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.ports import RunFilter, RunStore, TaskFilter, TaskStore
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.pipelines import PipelineService
from ordinaut_mcp.services.rings import SLOTS, Bell

NEXT_SHOWN = 3
LAST_RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A task as it is now; `before` is what it was, None: it was made now."""

    task: Task
    before: Task | None
    warnings: Sequence[str]
    stored: bool = True

    @property
    def created(self) -> bool:
        """Whether the task was made now."""
        return self.before is None

    @property
    def changed(self) -> Sequence[str]:
        """The arguments whose value is another than before."""
        if self.before is None:
            return ()
        old, new = self.before.request, self.task.request
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        status = self.before.status is not self.task.status
        return [*names, "status"] if status else names


class TaskService:
    """What agents may ask about their tasks."""

    def __init__(
        self,
        tasks: TaskStore,
        runs: RunStore,
        pipelines: PipelineService,
        bell: Bell,
        *,
        limits: ScheduleLimits,
        default_timezone: str,
    ) -> None:
        self._tasks = tasks
        self._runs = runs
        self._pipelines = pipelines
        self._bell = bell
        self._limits = limits
        self._default_timezone = default_timezone

    async def schedule(self, caller: Caller, given: Mapping[str, Any]) -> Saved:
        """Make a task, or bring the one with this key to what is asked."""
        request = plain_request(given, default_timezone=self._default_timezone)
        key = request.get("key")
        warnings = await self._pipelines.check(request)
        edit = _Edit(request, self._limits)
        if given.get("dry_run"):
            before = await self._existing(caller, key)
            return await self._trial(caller, before, edit, warnings)
        task = await self._tasks.put(caller.agent, key=key, decide=edit)
        return await self._saved(task, edit, warnings)

    async def update(self, caller: Caller, reference: str, given: Mapping[str, Any]) -> Saved:
        """Change the named parts of a task and leave the others as they are."""
        task = await self._tasks.get(caller.agent, reference)
        request = plain_request(
            merged(task.request, given), default_timezone=self._default_timezone
        )
        warnings = await self._pipelines.check(request)
        edit = _Edit(request, self._limits, over=task, expected=given.get("expected_generation"))
        if given.get("dry_run"):
            return await self._trial(caller, task, edit, warnings)
        saved = await self._tasks.edit(caller.agent, reference, decide=edit)
        return await self._saved(saved, edit, warnings)

    async def get(self, caller: Caller, reference: str) -> tuple[Task, Sequence[Run]]:
        """One task and its last runs."""
        task = await self._tasks.get(caller.agent, reference)
        wanted = RunFilter(task_id=task.id, limit=LAST_RUNS)
        return task, await self._runs.list(caller.agent, wanted)

    async def list(self, caller: Caller, wanted: TaskFilter) -> Sequence[Task]:
        """The caller's tasks, newest first; one more than the limit tells of a next page."""
        return await self._tasks.list(caller.agent, replace(wanted, limit=wanted.limit + 1))

    async def pause(self, caller: Caller, reference: str, note: str | None) -> Task:
        """From now on its occurrences are skipped, visibly."""
        return await self._tasks.set_status(
            caller.agent, reference, decide=lambda task, _: pausing.pause(task, note)
        )

    async def resume(self, caller: Caller, reference: str) -> Task:
        """It fires again; what came in between is recorded as skipped."""
        task = await self._tasks.set_status(caller.agent, reference, decide=pausing.resume)
        await self._bell.ring(SLOTS)
        return task

    async def cancel(self, caller: Caller, reference: str) -> Task:
        """For good: nothing more starts, what is queued is canceled, what runs finishes."""

        def decide(task: Task, _: datetime) -> StatusWrite | None:
            if task.status is TaskStatus.CANCELED:
                return None
            return StatusWrite(
                status=TaskStatus.CANCELED, note=task.note, next_run_at=None, cancel_queued=True
            )

        return await self._tasks.set_status(caller.agent, reference, decide=decide)

    async def now(self) -> datetime:
        """The clock that decides."""
        return await self._tasks.now()

    async def _existing(self, caller: Caller, key: str | None) -> Task | None:
        from ordinaut_mcp.errors import NotFound

        try:
            return await self._tasks.get(caller.agent, key) if key else None
        except NotFound:
            return None

    async def _trial(
        self, caller: Caller, before: Task | None, edit: _Edit, warnings: Sequence[str]
    ) -> Saved:
        now = await self._tasks.now()
        write = edit(before, now)
        task = before if write is None and before else _as_task(caller, before, write, now)
        task = replace(task, key=task.key or edit.request.get("key"))
        notes = [*warnings, *task.definition.schedule.warnings(now)]
        return Saved(task=task, before=before, warnings=notes, stored=False)

    async def _saved(self, task: Task, edit: _Edit, warnings: Sequence[str]) -> Saved:
        await self._bell.ring(SLOTS)
        notes = [*warnings, *task.definition.schedule.warnings(task.updated_at)]
        return Saved(task=task, before=edit.before, warnings=notes)


def upcoming(task: Task, after: datetime, count: int = NEXT_SHOWN) -> list[Occurrence]:
    """The next occurrences of a task that fires; a slot that is due and not yet taken counts."""
    if task.next_run_at is None or task.status in {TaskStatus.COMPLETED, TaskStatus.CANCELED}:
        return []
    found: list[Occurrence] = []
    for occurrence in task.definition.schedule.slots_after(_just_before(task.next_run_at)):
        if occurrence.excluded is None and occurrence.at >= min(task.next_run_at, after):
            found.append(occurrence)
        if len(found) == count:
            break
    return found


class _Edit:
    """What one request makes of a task; remembers what the task was when it was decided."""

    def __init__(
        self,
        request: Mapping[str, Any],
        limits: ScheduleLimits,
        *,
        over: Task | None = None,
        expected: int | None = None,
    ) -> None:
        self.request = request
        self.before: Task | None = None
        self._limits = limits
        self._over = over
        self._expected = expected

    def __call__(self, before: Task | None, now: datetime) -> TaskWrite | None:
        self.before = before
        self._check_generation(before)
        wanted = kept(self.request)
        status = self._status(before)
        if before and before.request == wanted and before.status is status:
            return None
        schedule = self._schedule(before, now)
        definition = _definition(self.request, schedule)
        # The anchors may have stayed, so the place in the series must stay as well.
        keeps = before is not None and schedule is before.definition.schedule
        first = before.next_run_at if keeps and before else _first(schedule, now)
        return TaskWrite(
            title=definition.title,
            tags=self.request.get("tags", ()),
            status=status,
            note=before.note if before and status is before.status else None,
            request=wanted,
            definition=definition.to_dict(),
            next_run_at=first,
            tz_version=TZDATA_VERSION,
            runs_started=before.runs_started if before and _fires(before) else 0,
        )

    def _schedule(self, before: Task | None, now: datetime) -> Schedule:
        if before and _fires(before) and same_schedule(before.request, self.request):
            return before.definition.schedule
        return compile_schedule(schedule_request(self.request), now=now, limits=self._limits)

    def _status(self, before: Task | None) -> TaskStatus:
        asked = self.request.get("paused")
        if asked is not None:
            return TaskStatus.PAUSED if asked else TaskStatus.ACTIVE
        if before and before.status is TaskStatus.PAUSED:
            return TaskStatus.PAUSED
        return TaskStatus.ACTIVE

    def _check_generation(self, before: Task | None) -> None:
        if before is None:
            return
        # An update is decided over what its caller saw; a schedule_task states all of it.
        seen = self._expected or (self._over and self._over.generation)
        if seen is not None and seen != before.generation:
            raise Conflict(
                f"The task is at generation {before.generation}, not {seen}: it was changed since.",
                field="expected_generation",
                hint="Call get_task, look at what changed, and update again.",
            )


def _definition(request: Mapping[str, Any], schedule: Schedule) -> TaskDefinition:
    return TaskDefinition(
        title=request["title"],
        description=request.get("description"),
        schedule=schedule,
        pipeline=request["pipeline"],
        params=request.get("params", {}),
        policies=policies(request, schedule),
    )


def _fires(task: Task) -> bool:
    return task.status in {TaskStatus.ACTIVE, TaskStatus.PAUSED}


def _first(schedule: Schedule, now: datetime) -> datetime | None:
    first = next(iter(schedule.slots_after(now)), None)
    return first.at if first else None


def _just_before(instant: datetime) -> datetime:
    from datetime import timedelta

    return instant - timedelta(microseconds=1)


def _as_task(caller: Caller, before: Task | None, write: TaskWrite | None, now: datetime) -> Task:
    assert write is not None  # noqa: S101 — a new task always has something to write
    return Task(
        id=before.id if before else TaskId(0),
        owner=caller.agent,
        key=before.key if before else None,
        status=write.status,
        note=write.note,
        tags=tuple(write.tags),
        generation=before.generation + 1 if before else 1,
        next_run_at=write.next_run_at,
        tz_version=write.tz_version,
        runs_started=write.runs_started,
        request=write.request,
        definition=TaskDefinition.from_dict(write.definition),
        created_at=before.created_at if before else now,
        updated_at=now,
    )
