"""Tasks: scheduled, looked up, changed, paused, canceled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ordinaut_mcp.domain import pausing
from ordinaut_mcp.domain.decision import SnoozeWrite, TaskWrite
from ordinaut_mcp.domain.rings import SLOTS, WORK
from ordinaut_mcp.domain.run import Run, TaskId
from ordinaut_mcp.domain.schedule import Occurrence, ScheduleLimits
from ordinaut_mcp.domain.snoozing import SnoozeRequest, snoozer
from ordinaut_mcp.domain.stuck import StuckSchedule
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus, task_name
from ordinaut_mcp.domain.task_request import merged, plain_request
from ordinaut_mcp.errors import NotFound
from ordinaut_mcp.ports import Bell, RunFilter, RunStore, SnoozeStore, TaskFilter, TaskStore
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.edit import Edit
from ordinaut_mcp.services.pipelines import PipelineService

NEXT_SHOWN = 3
TICK = timedelta(microseconds=1)
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
        snoozes: SnoozeStore,
        pipelines: PipelineService,
        bell: Bell,
        *,
        limits: ScheduleLimits,
        default_timezone: str,
    ) -> None:
        self._tasks = tasks
        self._runs = runs
        self._snoozes = snoozes
        self._pipelines = pipelines
        self._bell = bell
        self._limits = limits
        self._default_timezone = default_timezone

    async def schedule(self, caller: Caller, given: Mapping[str, Any]) -> Saved:
        """Make a task, or bring the one with this key to what is asked."""
        request = plain_request(given, default_timezone=self._default_timezone)
        key = request.get("key")
        warnings = await self._pipelines.check(request)
        edit = Edit(request, self._limits)
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
        edit = Edit(request, self._limits, over=task, expected=given.get("expected_generation"))
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
        return await self._tasks.set_status(caller.agent, reference, decide=pausing.cancel)

    async def snooze(
        self, caller: Caller, reference: str, request: SnoozeRequest
    ) -> tuple[Task, SnoozeWrite]:
        """Move the next occurrence, or leave out the next ones; the series stays."""
        found = await self._snoozes.snooze(caller.agent, reference, decide=snoozer(request))
        await self._bell.ring(WORK)
        await self._bell.ring(SLOTS)
        return found

    async def now(self) -> datetime:
        """The clock that decides."""
        return await self._tasks.now()

    async def _existing(self, caller: Caller, key: str | None) -> Task | None:
        try:
            return await self._tasks.get(caller.agent, key) if key else None
        except NotFound:
            return None

    async def _trial(
        self, caller: Caller, before: Task | None, edit: Edit, warnings: Sequence[str]
    ) -> Saved:
        now = await self._tasks.now()
        write = edit(before, now)
        task = before if write is None and before else _as_task(caller, before, write, now)
        task = replace(task, key=task.key or edit.request.get("key"))
        notes = [
            *warnings,
            *task.definition.schedule.warnings(now),
            *await self._conflicts(task),
        ]
        return Saved(task=task, before=before, warnings=notes, stored=False)

    async def _saved(self, task: Task, edit: Edit, warnings: Sequence[str]) -> Saved:
        await self._bell.ring(SLOTS)
        notes = [
            *warnings,
            *task.definition.schedule.warnings(task.updated_at),
            *await self._conflicts(task),
        ]
        return Saved(task=task, before=edit.before, warnings=notes)

    async def _conflicts(self, task: Task) -> Sequence[str]:
        coming = upcoming(task)
        minutes = [slot.at.replace(second=0, microsecond=0) for slot in coming]
        if not minutes:
            return ()
        others = await self._tasks.conflicts(task, minutes)
        return [
            f"'{title}' ({task_name(number)}) does the same in the same minute."
            for number, title in others
        ]


def upcoming(task: Task, count: int = NEXT_SHOWN) -> list[Occurrence]:
    """The next occurrences of a task that fires; a slot that is due and not yet taken counts."""
    schedule = task.definition.schedule
    ended = task.status in {TaskStatus.COMPLETED, TaskStatus.CANCELED}
    if ended or task.next_run_at is None or isinstance(schedule, StuckSchedule):
        return []
    most = task.definition.policies.max_runs
    left = count if most is None else min(count, most - task.runs_started)
    found: list[Occurrence] = []
    following = schedule.next_after(task.next_run_at - TICK)
    while following is not None and len(found) < left:
        found.append(following)
        following = schedule.next_after(following.at)
    return found


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
        pipeline_digest=write.pipeline_digest,
        request=write.request,
        definition=TaskDefinition.from_dict(write.definition),
        created_at=before.created_at if before else now,
        updated_at=now,
    )
