"""What one request makes of a task: a pure decision that the store executes in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ordinaut_mcp.domain import pausing
from ordinaut_mcp.domain.decision import SkippedSlots, TaskWrite
from ordinaut_mcp.domain.schedule import ScheduleLimits, compile_schedule
from ordinaut_mcp.domain.stuck import AnySchedule, computable
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus
from ordinaut_mcp.domain.task_request import kept, policies, same_schedule, schedule_request
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import Conflict, InvalidInput


class Edit:
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
        first, skips = self._place(before, now) if keeps and before else (_first(schedule, now), ())
        if before and not keeps and _fires(before):
            why = _why(before, "superseded")
            skips, _ = pausing.passed_over(before, now, reason=why, goes_on=False)
        return TaskWrite(
            title=definition.title,
            tags=self.request.get("tags", ()),
            status=TaskStatus.COMPLETED if first is None else status,
            note=before.note if before and status is before.status else None,
            request=wanted,
            definition=definition.to_dict(),
            next_run_at=first,
            tz_version=TZDATA_VERSION,
            pipeline_digest=definition.pipeline_digest,
            runs_started=before.runs_started if before and _fires(before) else 0,
            skips=skips,
        )

    def _place(self, before: Task, now: datetime) -> tuple[datetime | None, Sequence[SkippedSlots]]:
        """Where the series goes on; leaving a pause, what came in between is passed over."""
        resumed = before.status is TaskStatus.PAUSED and self._status(before) is TaskStatus.ACTIVE
        if not resumed:
            return before.next_run_at, ()
        computable(before.definition.schedule)
        skips, following = pausing.passed_over(before, now, reason="paused")
        return following, skips

    def _schedule(self, before: Task | None, now: datetime) -> AnySchedule:
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


def _definition(request: Mapping[str, Any], schedule: AnySchedule) -> TaskDefinition:
    if "title" not in request:
        raise InvalidInput(
            "'title' is needed.", code="missing", field="title", hint="Give a short name."
        )
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


def _first(schedule: AnySchedule, now: datetime) -> datetime | None:
    first = next(iter(schedule.slots_after(now)), None)
    return first.at if first else None


def _why(task: Task, otherwise: str) -> str:
    return "paused" if task.status is TaskStatus.PAUSED else otherwise
