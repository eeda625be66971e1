"""The agenda: what is to come across all tasks, and what is late, paused, moved or left out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from ordinaut_mcp.domain.run import Run, RunKind, RunState, run_name
from ordinaut_mcp.domain.schedule import Occurrence
from ordinaut_mcp.domain.task import Task, TaskStatus, task_name
from ordinaut_mcp.ports import RunStore, TaskStore
from ordinaut_mcp.services.caller import Caller

TICK = timedelta(microseconds=1)
ON_TIME = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. `state` is scheduled, snoozed, paused, excluded, late, or an unfinished run's."""

    at: datetime
    state: str
    task: str
    title: str
    timezone: str
    run: str | None = None
    kind: RunKind = RunKind.SCHEDULE
    scheduled_for: datetime | None = None
    """The nominal instant, where the row stands at another one."""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The rows in order; `truncated`: there are more within the span."""

    now: datetime
    until: datetime
    entries: Sequence[Entry]
    truncated: bool


def _at(entry: Entry) -> datetime:
    return entry.at


class AgendaService:
    """Looks ahead over all tasks of a caller."""

    def __init__(self, tasks: TaskStore, runs: RunStore) -> None:
        self._tasks = tasks
        self._runs = runs

    async def get(self, caller: Caller, *, span: timedelta, limit: int) -> Agenda:
        """What comes within the span, the soonest first, at most `limit` rows."""
        now = await self._tasks.now()
        until = now + span
        tasks = await self._coming(caller, now, until, limit=limit + 1)
        runs = await self._runs.unfinished(caller.agent, limit=limit + 1)
        rows = [_of_task(task, now, until) for task in tasks]
        # The queue's order is that of the next attempts; the rows stand where they were due.
        started = sorted((_of_run(run, now) for run in runs if run.due_at <= until), key=_at)
        merged = heapq.merge(started, *rows, key=_at)
        found = [entry for _, entry in zip(range(limit + 1), merged, strict=False)]
        return Agenda(now=now, until=until, entries=found[:limit], truncated=len(found) > limit)

    async def _coming(
        self, caller: Caller, now: datetime, until: datetime, *, limit: int
    ) -> Sequence[Task]:
        """The limit's first rows can only come from the tasks whose next slots are the soonest.

        A paused task stands still at the slot where it was paused; it takes nobody's place.
        """
        asked = limit
        while True:
            found = await self._tasks.coming(caller.agent, until=until, limit=asked)
            standing = sum(task.status is TaskStatus.PAUSED for task in found)
            if len(found) < asked or asked >= limit + standing:
                return found
            asked = 2 * (limit + standing)


def _of_task(task: Task, now: datetime, until: datetime) -> Iterator[Entry]:
    schedule = task.definition.schedule
    # A paused task's slots up to now are skips already in all but name.
    paused = task.status is TaskStatus.PAUSED
    first = task.next_run_at or now
    since = max(now, first - TICK) if paused else first - TICK
    for slot in takewhile(lambda slot: slot.at <= until, _slots(task, since)):
        state = "paused" if paused else "excluded" if slot.excluded else "scheduled"
        late = state == "scheduled" and slot.at < now - ON_TIME
        yield Entry(
            at=slot.at,
            state="late" if late else state,
            task=task_name(task.id),
            title=task.definition.title,
            timezone=schedule.timezone,
            note=task.note if paused else slot.excluded or slot.note,
        )


def _slots(task: Task, since: datetime) -> Iterator[Occurrence]:
    """The slots after an instant, up to the last run that `max_runs` allows."""
    most = task.definition.policies.max_runs
    left = None if most is None else most - task.runs_started
    for slot in task.definition.schedule.slots_after(since):
        if left is not None and left <= 0:
            return
        if left is not None and slot.excluded is None:
            left -= 1
        yield slot


def _of_run(run: Run, now: datetime) -> Entry:
    waits = run.state is RunState.QUEUED and run.due_at > now
    moved = run.kind is RunKind.SCHEDULE and run.due_at != run.scheduled_for
    overdue = run.state is RunState.QUEUED and run.due_at < now - ON_TIME
    state = "snoozed" if moved and waits else "late" if overdue else run.state.value
    return Entry(
        at=run.due_at,
        state=state,
        task=task_name(run.task_id),
        title=run.title,
        timezone=run.timezone,
        run=run_name(run.id),
        kind=run.kind,
        scheduled_for=run.scheduled_for if moved else None,
        note="due, and not yet taken by a worker" if overdue else None,
    )
