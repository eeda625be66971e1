"""One run of the queue in memory, with everything that a test may want to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import (
    Lease,
    ProcessId,
    RunId,
    RunState,
    StepRecord,
    TaskId,
)
from ordinaut_mcp.store.claims import WORTH

WAITS = frozenset({RunState.QUEUED, RunState.RETRYING})


@dataclass(slots=True)
class Work:
    """One run, finished or not."""

    id: RunId
    created_at: datetime
    run_at: datetime
    definition: Mapping[str, Any]
    params: Mapping[str, Any]
    task_id: TaskId
    owner: str = "local"
    priority: int = 5
    serial: bool = False
    limit: Limit | None = None
    needs_permit: bool = False
    state: RunState = RunState.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    redrive: int = 0
    epoch: int = 0
    process: ProcessId | None = None
    lease_until: datetime | None = None
    started_at: datetime | None = None
    reason: str | None = None
    cancel_reason: str | None = None
    error: Mapping[str, Any] | None = None
    output: Any = None
    executed: bool | None = None
    verified: bool | None = None
    journal: dict[str, StepRecord] = field(default_factory=dict[str, StepRecord])

    @property
    def lease(self) -> Lease:
        """The newest lease on it."""
        return Lease(run_id=self.id, created_at=self.created_at, epoch=self.epoch)

    @property
    def rank(self) -> tuple[datetime, RunId]:
        """Each step of priority is worth so much waiting."""
        return self.run_at - self.priority * WORTH, self.id
