"""A task: what is to be done, when, and under which rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.occurrence import Misfire, MisfirePolicy
from ordinaut_mcp.domain.retry import RetryPolicy
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.stuck import AnySchedule, read_schedule
from ordinaut_mcp.errors import NotFound

_TASK = re.compile(r"task_([1-9][0-9]{0,17})")


def task_name(task_id: int) -> str:
    """How callers know a task that has no key of theirs."""
    return f"task_{task_id}"


def task_number(reference: str) -> TaskId | None:
    """The number in `task_12`; None when the reference is a key."""
    found = _TASK.fullmatch(reference)
    return TaskId(int(found[1])) if found else None


def no_such_task(reference: str) -> NotFound:
    """The one answer for tasks that do not exist and tasks of others."""
    shown = reference if len(reference) <= 60 else reference[:60] + "…"
    return NotFound(
        f"There is no task '{shown}'.",
        field="task",
        hint="Call list_tasks and use an id (task_12) or a key from there.",
    )


class TaskStatus(StrEnum):
    """Whether a task fires."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELED = "canceled"


class Overlap(StrEnum):
    """What happens to an occurrence while an earlier run of its task is unfinished."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"
    CANCEL_RUNNING = "cancel_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The rules of a task; spans inside, `*_seconds` on the wire."""

    misfire: Misfire = "latest"
    max_lateness: timedelta | None = None
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta = timedelta(0)
    max_runs: int | None = None
    priority: int = 5
    concurrency_key: str | None = None
    max_concurrent: int | None = None
    """How many runs at once: under the key (1 where a key stands alone), else of this task."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    step_timeout: timedelta = timedelta(seconds=30)
    run_timeout: timedelta = timedelta(hours=6)

    @property
    def misfire_policy(self) -> MisfirePolicy:
        """What the accounting of slots needs of this."""
        return MisfirePolicy(misfire=self.misfire, max_lateness=self.max_lateness)

    def limit(self, task_id: int) -> Limit | None:
        """What keeps its runs from running at once with others; None: nothing."""
        if self.concurrency_key is not None:
            return Limit(key=f"key:{self.concurrency_key}", places=self.max_concurrent or 1)
        if self.max_concurrent is not None:
            return Limit(key=f"task:{task_id}", places=self.max_concurrent)
        return None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; `from_dict` reads it back."""
        return {
            "misfire": self.misfire,
            "max_lateness_seconds": (
                None if self.max_lateness is None else self.max_lateness.total_seconds()
            ),
            "overlap": self.overlap.value,
            "jitter_seconds": self.jitter.total_seconds(),
            "max_runs": self.max_runs,
            "priority": self.priority,
            "concurrency_key": self.concurrency_key,
            "max_concurrent": self.max_concurrent,
            "retry": self.retry.to_dict(),
            "timeout_seconds": self.step_timeout.total_seconds(),
            "run_timeout_seconds": self.run_timeout.total_seconds(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Policies:
        """What `to_dict` gave."""
        late = stored["max_lateness_seconds"]
        return cls(
            misfire=stored["misfire"],
            max_lateness=None if late is None else timedelta(seconds=late),
            overlap=Overlap(stored["overlap"]),
            jitter=timedelta(seconds=stored["jitter_seconds"]),
            max_runs=stored["max_runs"],
            priority=stored["priority"],
            concurrency_key=stored.get("concurrency_key"),
            max_concurrent=stored.get("max_concurrent"),
            retry=RetryPolicy.from_dict(stored["retry"]),
            step_timeout=timedelta(seconds=stored["timeout_seconds"]),
            run_timeout=timedelta(seconds=stored["run_timeout_seconds"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefinition:
    """What was asked, compiled: the schedule with its anchors, the pipeline, the rules."""

    title: str
    schedule: AnySchedule
    pipeline: Sequence[Mapping[str, Any]]
    description: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    policies: Policies = Policies()

    @property
    def pipeline_digest(self) -> str:
        """sha256 of what is done, whenever it is done."""
        work = json.dumps([list(self.pipeline), dict(self.params)], sort_keys=True)
        return sha256(work.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; `from_dict` reads it back."""
        return {
            "title": self.title,
            "description": self.description,
            "schedule": self.schedule.to_dict(),
            "pipeline": list(self.pipeline),
            "params": dict(self.params),
            "policies": self.policies.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TaskDefinition:
        """What `to_dict` gave."""
        return cls(
            title=stored["title"],
            description=stored["description"],
            schedule=read_schedule(stored["schedule"]),
            pipeline=stored["pipeline"],
            params=stored["params"],
            policies=Policies.from_dict(stored["policies"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as its owner sees it."""

    id: TaskId
    owner: str
    key: str | None
    status: TaskStatus
    note: str | None
    tags: tuple[str, ...]
    generation: int
    next_run_at: datetime | None
    tz_version: str
    runs_started: int
    request: Mapping[str, Any]
    definition: TaskDefinition
    pipeline_digest: str
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """Its id, as callers write it."""
        return task_name(self.id)
