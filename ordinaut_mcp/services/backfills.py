"""Backfill: runs for a past range, each slot once, at a rate of your choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.rings import WORK
from ordinaut_mcp.domain.run import RunKind
from ordinaut_mcp.domain.schedule import Occurrence
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import Conflict, InvalidInput
from ordinaut_mcp.ports import Bell, RunStore, TaskStore
from ordinaut_mcp.services.caller import Caller

MOST = 10_000
TICK = timedelta(microseconds=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """The slots of the range, and how many runs were made for them (0 in a dry run)."""

    occurrences: Sequence[Occurrence]
    made: int


class BackfillService:
    """Orders runs for what should have run."""

    def __init__(self, tasks: TaskStore, runs: RunStore, bell: Bell) -> None:
        self._tasks = tasks
        self._runs = runs
        self._bell = bell

    async def backfill(
        self,
        caller: Caller,
        reference: str,
        *,
        since: datetime,
        until: datetime,
        per_minute: int,
        dry_run: bool,
    ) -> Backfilled:
        """One run for each slot in [since, until) that has no backfill run yet.

        Raises:
            NotFound, Conflict: no such task, or it is canceled.
            InvalidInput: the range is empty, reaches into the future, or has too many slots.
        """
        task = await self._tasks.get(caller.agent, reference)
        now = await self._tasks.now()
        if task.status is TaskStatus.CANCELED:
            raise Conflict(f"{task.name} is canceled and cannot be run.", field="task")
        _check_range(since, until, now)
        # What lies before the task was made is what a backfill is for.
        schedule = replace(computable(task.definition.schedule), since=None)
        slots = takewhile(lambda slot: slot.at < until, schedule.slots_after(_before(since)))
        found = list(islice((slot for slot in slots if slot.excluded is None), MOST + 1))
        if len(found) > MOST:
            raise InvalidInput(
                f"The range holds more than {MOST} slots.",
                code="too_complex",
                field="to",
                hint="Backfill a shorter range first.",
            )
        if dry_run:
            return Backfilled(occurrences=found, made=0)
        rest = timedelta(minutes=1) / per_minute
        wanted = [
            NewRun(
                slot_key=f"backfill:{slot.at.isoformat()}",
                kind=RunKind.BACKFILL,
                scheduled_for=slot.at,
                due_at=now + rest * position,
                priority=task.definition.policies.priority,
                limit=task.definition.policies.limit(task.id),
            )
            for position, slot in enumerate(found)
        ]
        made = await self._runs.order_all(task, wanted) if wanted else 0
        await self._bell.ring(WORK)
        return Backfilled(occurrences=found, made=made)


def _before(since: datetime) -> datetime:
    return since - TICK if since > BEGINNING else since


def _check_range(since: datetime, until: datetime, now: datetime) -> None:
    if until <= since:
        raise InvalidInput(
            "The range is empty: `to` must come after `from`.", code="out_of_range", field="to"
        )
    if until > now:
        raise InvalidInput(
            "A backfill is for the past; what is to come runs by itself.",
            code="out_of_range",
            field="to",
            hint="Give a `to` that is not later than now.",
        )
