"""Runs: started by hand, looked up, listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import anyio

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.rings import CANCELS, WORK
from ordinaut_mcp.domain.run import LIVE, Run, RunId, RunKind, RunState, parse_run_name
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.ports import Bell, CancelStore, RunFilter, RunStore, TaskStore
from ordinaut_mcp.services.caller import Caller

FIRST_LOOK = timedelta(milliseconds=40)
SETTLED_WITHIN = timedelta(seconds=1)
SLOWEST_LOOK = timedelta(milliseconds=400)


class RunService:
    """What agents may ask about runs."""

    def __init__(self, tasks: TaskStore, runs: RunStore, cancels: CancelStore, bell: Bell) -> None:
        self._tasks = tasks
        self._runs = runs
        self._cancels = cancels
        self._bell = bell

    async def run_now(
        self,
        caller: Caller,
        reference: str,
        *,
        params: Mapping[str, Any] | None,
        key: str | None,
        wait: timedelta,
    ) -> Run:
        """Order one run outside the schedule; the same key never orders a second one."""
        task = await self._tasks.get(caller.agent, reference)
        if task.status is TaskStatus.CANCELED:
            raise Conflict(
                f"{task.name} is canceled and cannot be run.",
                field="task",
                hint="Call schedule_task with its key (or a new one) to make it active anew.",
            )
        order = _order(task, params or {}, key, await self._tasks.now())
        ordered = await self._runs.order(task, order)
        if not ordered.made and ordered.params != dict(params or {}):
            raise Conflict(
                f"The key '{key}' already ordered {ordered.run_id} with other params.",
                field="key",
                hint="Use a new key, or the same params.",
            )
        await self._bell.ring(WORK)
        return await self.finished(caller, ordered.run_id, within=wait)

    async def cancel(self, caller: Caller, reference: str) -> Run:
        """End one run; the answer holds it as it is a moment later."""
        run_id = parse_run_name(reference)
        await self._cancels.cancel(caller.agent, run_id, reason="canceled_by_owner")
        await self._bell.ring(CANCELS)
        await self._bell.ring(WORK)  # what waited for it may begin
        return await self.finished(caller, run_id, within=SETTLED_WITHIN)

    async def finished(self, caller: Caller, run_id: RunId, *, within: timedelta) -> Run:
        """The run as soon as it has ended or parked, or as it is when the time is up."""
        rest = FIRST_LOOK.total_seconds()
        until = anyio.current_time() + within.total_seconds()
        run = await self._runs.get(caller.agent, run_id)
        while run.state in LIVE - {RunState.WAITING} and anyio.current_time() < until:
            await anyio.sleep(min(rest, max(0.0, until - anyio.current_time())))
            rest = min(rest * 1.5, SLOWEST_LOOK.total_seconds())
            run = await self._runs.get(caller.agent, run_id)
        return run

    async def get(self, caller: Caller, reference: str) -> Run:
        """One run with its steps."""
        return await self._runs.get(caller.agent, parse_run_name(reference))

    async def list(
        self, caller: Caller, wanted: RunFilter, *, task: str | None = None
    ) -> Sequence[Run]:
        """The caller's runs, newest first; one more than the limit tells of a next page."""
        if task is not None:
            found = await self._tasks.get(caller.agent, task)
            wanted = replace(wanted, task_id=found.id)
        return await self._runs.list(caller.agent, replace(wanted, limit=wanted.limit + 1))


def _order(task: Task, params: Mapping[str, Any], key: str | None, now: Any) -> NewRun:
    rules = task.definition.policies
    return NewRun(
        slot_key=f"manual:{key}" if key else f"manual::{uuid4()}",
        kind=RunKind.MANUAL,
        scheduled_for=now,
        due_at=now,
        priority=rules.priority,
        limit=rules.limit(task.id),
        params=params,
    )
