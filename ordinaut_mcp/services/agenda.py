"""The agenda: what is to come across all tasks, and what is late, paused, moved or left out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from ordinaut_mcp.domain.run import Run, RunState, run_name
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


class AgendaService:
    """Looks ahead over all tasks of a caller."""

    def __init__(self, tasks: TaskStore, runs: RunStore) -> None:
        self._tasks = tasks
        self._runs = runs

    async def get(self, caller: Caller, *, span: timedelta, limit: int) -> Agenda:
        """What comes within the span, the soonest first, at most `limit` rows."""
        now = await self._tasks.now()
        until = now + span
        # The limit's first rows can only come from the tasks whose next slots are the soonest.
        tasks = await self._tasks.coming(caller.agent, until=until, limit=limit + 1)
        runs = await self._runs.unfinished(caller.agent, limit=limit + 1)
        rows = [_of_task(task, now, until) for task in tasks]
        started = (_of_run(run, now) for run in runs if run.due_at <= until)
        merged = heapq.merge(started, *rows, key=lambda entry: entry.at)
        found = [entry for _, entry in zip(range(limit + 1), merged, strict=False)]
        return Agenda(now=now, until=until, entries=found[:limit], truncated=len(found) > limit)


def _of_task(task: Task, now: datetime, until: datetime) -> Iterator[Entry]:
    schedule = task.definition.schedule
    # A paused task's slots up to now are skips already in all but name.
    paused = task.status is TaskStatus.PAUSED
    first = task.next_run_at or now
    since = max(now, first - TICK) if paused else first - TICK
    for slot in takewhile(lambda slot: slot.at <= until, schedule.slots_after(since)):
        state = "paused" if paused else "excluded" if slot.excluded else "scheduled"
        late = not paused and slot.at < now - ON_TIME
        yield Entry(
            at=slot.at,
            state="late" if late else state,
            task=task_name(task.id),
            title=task.definition.title,
            timezone=schedule.timezone,
            note=task.note if paused else slot.excluded or slot.note,
        )


def _of_run(run: Run, now: datetime) -> Entry:
    moved = run.due_at > run.scheduled_for and run.state is RunState.QUEUED and run.due_at > now
    overdue = run.state is RunState.QUEUED and run.due_at < now - ON_TIME
    state = "snoozed" if moved else "late" if overdue else run.state.value
    return Entry(
        at=run.due_at,
        state=state,
        task=task_name(run.task_id),
        title=run.title,
        timezone=run.timezone,
        run=run_name(run.id),
        scheduled_for=run.scheduled_for if moved else None,
        note="due, and not yet taken by a worker" if overdue else None,
    )
