"""What callers' services need of tasks and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ordinaut_mcp.domain.decision import NewRun, SnoozeWrite, StatusWrite, TaskWrite
from ordinaut_mcp.domain.redrive import Sending, Standing
from ordinaut_mcp.domain.run import ProcessId, Run, RunId, RunState, TaskId
from ordinaut_mcp.domain.snoozing import Snooze
from ordinaut_mcp.domain.task import Task, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to list; the newest first."""

    status: TaskStatus | None = None
    tag: str | None = None
    query: str | None = None
    limit: int = 20
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; the newest first."""

    task_id: TaskId | None = None
    state: RunState | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 20
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A run that was asked for; not `made` when an earlier request with this key made it."""

    run_id: RunId
    made: bool
    params: Mapping[str, Any]


Decide = Callable[[Task | None, datetime], TaskWrite | None]
"""Pure: the task as it is (None: new) and now → what it shall be (None: nothing changes)."""


DecideStatus = Callable[[Task, datetime], StatusWrite | None]


DecideSending = Callable[[Standing], Sending]


class TaskStore(Protocol):
    """The tasks of all owners; each method sees one owner's only."""

    async def now(self) -> datetime:
        """The database's now."""
        ...

    async def put(self, owner: str, *, key: str | None, decide: Decide) -> Task:
        """Make or change the owner's task with that key (None: always a new one)."""
        ...

    async def edit(self, owner: str, reference: str, *, decide: Decide) -> Task:
        """Change one task.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def set_status(self, owner: str, reference: str, *, decide: DecideStatus) -> Task:
        """Change one task's status, with what that means for its slots and its queued runs.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def get(self, owner: str, reference: str) -> Task:
        """One task, by id or key.

        Raises:
            NotFound: the owner has no such task.
        """
        ...

    async def list(self, owner: str, wanted: TaskFilter) -> Sequence[Task]:
        """The owner's tasks, newest first."""
        ...

    async def coming(self, owner: str, *, until: datetime, limit: int) -> Sequence[Task]:
        """The owner's tasks with a slot up to `until`, the soonest first; paused ones, too."""
        ...

    async def conflicts(self, task: Task, minutes: Sequence[datetime]) -> Sequence[tuple[int, str]]:
        """Other active tasks of the owner that do the same in one of these minutes: id, title."""
        ...


class SnoozeStore(Protocol):
    """Occurrences that move, while their series stays."""

    async def snooze(
        self, owner: str, reference: str, *, decide: Snooze
    ) -> tuple[Task, SnoozeWrite]:
        """Move or leave out the next occurrence of one task.

        Raises:
            NotFound: the owner has no such task.
        """
        ...


class RunStore(Protocol):
    """The runs of all owners; each method sees one owner's only."""

    async def order(self, task: Task, run: NewRun) -> Ordered:
        """Queue one run; the same slot key gives the same run."""
        ...

    async def get(self, owner: str, run_id: RunId) -> Run:
        """One run with its steps.

        Raises:
            NotFound: the owner has no such run.
        """
        ...

    async def list(self, owner: str, wanted: RunFilter) -> Sequence[Run]:
        """The owner's runs without their steps, newest first."""
        ...

    async def unfinished(self, owner: str, *, limit: int) -> Sequence[Run]:
        """The owner's unfinished runs, those that are due first at the top."""
        ...

    async def order_all(self, task: Task, wanted: Sequence[NewRun]) -> int:
        """Queue runs whose slots are new; how many were made."""
        ...


class CancelStore(Protocol):
    """Ends runs before their time."""

    async def wanted(self, process: ProcessId) -> Mapping[RunId, str]:
        """The running runs of this process that somebody wants ended, each with the reason."""
        ...

    async def cancel(self, owner: str, run_id: RunId, *, reason: str) -> None:
        """End one run: at once where it waits, else ask its worker; a finished one stays.

        Raises:
            NotFound: the owner has no such run.
        """
        ...


class RedriveStore(Protocol):
    """Sends runs on that have ended badly, wait, or rest."""

    async def send(self, owner: str, run_id: RunId, *, decide: DecideSending) -> Sending:
        """Send one run on as it is decided, under a higher epoch each time; what was decided.

        Raises:
            NotFound: the owner has no such run.
        """
        ...
