"""What all steps of one attempt at a run share: values, the tools, the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    JournalEntry,
    JournalLine,
    StepRecord,
    run_name,
)
from ordinaut_mcp.domain.step import Step
from ordinaut_mcp.domain.task import Policies, task_name
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import ToolOutcome
from ordinaut_mcp.runtime.batches import Batches
from ordinaut_mcp.runtime.persistence import LeaseLost, persisted
from ordinaut_mcp.runtime.plans import Plan
from ordinaut_mcp.runtime.tools import PipelineTools


@dataclass(slots=True)
class Scene:
    """One attempt at a run as its steps see it."""

    claimed: ClaimedRun
    plan: Plan
    tools: PipelineTools
    journal: Batches[JournalEntry]
    is_held: Callable[[], bool]
    """Whether the lease has not ended by our own clock."""
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the steps that ended well have come to, by `save_as`."""
    last: Any = None
    verified: bool | None = None
    lines: list[JournalLine] = field(default_factory=list[JournalLine])
    """What the journal does not have yet; it goes with the next write."""
    _context: RenderContext | None = None
    _key: str = ""

    @property
    def policies(self) -> Policies:
        """The task's rules."""
        return self.plan.definition.policies

    def context(self) -> RenderContext:
        """What templates and conditions see now."""
        if self._context is None:
            self._context = _context_of(self.claimed, self.plan, self.values)
        elif self._context.values["steps"] is not self.values:
            self._context = replace(
                self._context, values={**self._context.values, "steps": self.values}
            )
        return self._context

    def key(self, path: str) -> str:
        """The idempotency key of one step."""
        self._key = self._key or idempotency_key(self.claimed, "")
        return f"{self._key}/{path}"

    def compute(
        self, step: Step, arguments: Mapping[str, Any], context: Callable[[], RenderContext]
    ) -> ToolOutcome:
        """The answer of a built-in that only computes."""
        fitting = self.plan.fitting
        if step.id not in fitting:
            if problem := self.tools.misfit(step.uses, arguments):
                return problem
            if step.id in self.plan.plain:
                fitting.add(step.id)
        return self.tools.compute(step.uses, arguments, context)

    def take(self, step: Step, value: Any, *, error: Mapping[str, Any] | None = None) -> None:
        """The step ended with this value; with `error`, it stands in for the result."""
        # A new mapping each time: what a step was given may hold the former one.
        self.values = {**self.values, step.save_as: value}
        self.last = value
        if error and error["code"] == "not_verified":
            self.verified = False
        elif not error and step.verify is not None and self.verified is None:
            self.verified = True

    def note(self, record: StepRecord, *, began: float) -> None:
        """Have a line written with the next write."""
        self.lines.append(JournalLine(record, began, time.monotonic()))

    async def begin(self, record: StepRecord) -> None:
        """Journal an intent, with all that was noted before it.

        Raises:
            LeaseLost: another worker holds the run now.
        """
        # What was noted stays until it is written: a cancel in the middle must not lose it.
        noted = list(self.lines)
        entry = JournalEntry(self.claimed.lease, [*noted, JournalLine(record, time.monotonic())])
        is_held = await persisted(lambda: self.journal.submit(entry))
        self.lines = self.lines[len(noted) :]
        if not is_held or not self.is_held():
            raise LeaseLost


def _context_of(claimed: ClaimedRun, plan: Plan, steps: Mapping[str, Any]) -> RenderContext:
    definition = plan.definition
    return RenderContext(
        values={
            "params": {**definition.params, **claimed.params},
            "steps": steps,
            "task": {
                "id": task_name(claimed.task_id),
                "key": claimed.task_key,
                "title": definition.title,
            },
            "run": {
                "id": run_name(claimed.lease.run_id),
                "scheduled_for": claimed.scheduled_for.astimezone(plan.zone).isoformat(),
                "attempt": claimed.attempt,
                "idempotency_key": idempotency_key(claimed, ""),
            },
            "event": {},
        },
        now=claimed.started_at,
        zone=plan.zone,
    )


def idempotency_key(claimed: ClaimedRun, path: str) -> str:
    """One key for one (run, step path), for ever: attempts and workers do not enter it.

    A run that somebody sent again calls with new keys. The instant of the run's creation keeps
    runs of different databases apart.
    """
    made = int(claimed.lease.created_at.timestamp() * 1_000_000)
    name = f"ordinaut-{run_name(claimed.lease.run_id)}-{made:x}"
    if claimed.redrive:
        name = f"{name}.{claimed.redrive}"
    return f"{name}/{path}" if path else name
