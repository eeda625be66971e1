"""The executor: carries out one attempt of a run, step by step, over its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio

from ordinaut_mcp.domain.pipeline import Pipeline, Step, parse_pipeline
from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Failed,
    Outcome,
    Parked,
    StepRecord,
    StepState,
    Succeeded,
    run_name,
)
from ordinaut_mcp.domain.task import TaskDefinition, task_name
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.zone import zone
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import RunQueue
from ordinaut_mcp.runtime.attempt import Asked, Continued, StepAttempt, StepFailed
from ordinaut_mcp.runtime.tools import PipelineTools


@dataclass(slots=True)
class Progress:
    """What an attempt knows so far: the values of the steps, and whether something was verified."""

    claimed: ClaimedRun
    definition: TaskDefinition
    steps: dict[str, Any] = field(default_factory=dict[str, Any])
    last: Any = None
    verified: bool | None = None

    def context(self) -> RenderContext:
        """What templates and conditions see."""
        claimed, definition = self.claimed, self.definition
        timezone = zone(definition.schedule.timezone)
        run: Mapping[str, Any] = {
            "id": run_name(claimed.lease.run_id),
            "scheduled_for": claimed.scheduled_for.astimezone(timezone).isoformat(),
            "attempt": claimed.attempt,
            "idempotency_key": idempotency_key(claimed, ""),
        }
        task: Mapping[str, Any] = {
            "id": task_name(claimed.task_id),
            "key": claimed.task_key,
            "title": definition.title,
        }
        return RenderContext(
            values={
                "params": {**definition.params, **claimed.params},
                "steps": dict(self.steps),
                "task": task,
                "run": run,
                "event": {},
            },
            now=claimed.started_at,
            zone=timezone,
        )

    def take(self, step: Step, value: Any) -> None:
        """The step ended with this value."""
        self.steps[step.save_as] = self.last = value
        if step.verify is not None:
            self.verified = True


class Executor:
    """Carries out attempts. Steps that the journal has as succeeded are never called again."""

    def __init__(self, queue: RunQueue, tools: PipelineTools, random: Random) -> None:
        self._queue = queue
        self._tools = tools
        self._random = random

    async def execute(self, claimed: ClaimedRun) -> Outcome:
        """One attempt; every fault of the task comes back as an outcome.

        Raises:
            LeaseLost: another worker holds the run now.
        """
        try:
            definition = TaskDefinition.from_dict(claimed.definition)
            pipeline = parse_pipeline(definition.pipeline)
        except OrdinautError as error:
            return Failed({**error.as_dict(), "hint": "Correct the task: update_task."})
        limit = definition.policies.run_timeout.total_seconds()
        with anyio.move_on_after(limit):
            return await self._steps(Progress(claimed, definition), pipeline)
        return Failed(
            {
                "code": "run_timeout",
                "message": f"The run took longer than {limit:g} s.",
                "hint": "Give run_timeout_seconds, or make its steps faster.",
            }
        )

    async def _steps(self, progress: Progress, pipeline: Pipeline) -> Outcome:
        for position, step in enumerate(pipeline.steps):
            record = progress.claimed.journal.get(step.id)
            if record and _is_over(record):
                _read_back(progress, step, record)
                continue
            attempt = StepAttempt(
                self._queue,
                self._tools,
                lease=progress.claimed.lease,
                step=step,
                position=position,
                before=record,
                context=progress.context(),
                policies=progress.definition.policies,
                key=idempotency_key(progress.claimed, step.id),
            )
            match await attempt.carry_out():
                case Continued(skipped=True):
                    continue
                case Continued(value=value):
                    progress.take(step, value)
                case StepFailed() as failed:
                    return self._failed(progress.claimed, step, failed)
                case Asked(error=error):
                    return Parked(error)
        return Succeeded(progress.last, progress.verified)

    def _failed(self, claimed: ClaimedRun, step: Step, failed: StepFailed) -> Failed:
        verified = False if failed.error["code"] == "not_verified" else None
        if not failed.is_retried:
            return Failed(failed.error, None, verified)
        failures = failed.failures if step.retry else claimed.failures + 1
        rest = failed.policy.delay_after(failures, self._random)
        return Failed(failed.error, rest.total_seconds() if rest else None, verified)


def idempotency_key(claimed: ClaimedRun, path: str) -> str:
    """One key for one (run, step path), for ever: attempts and workers do not enter it.

    The instant of the run's creation keeps runs of different databases apart.
    """
    made = int(claimed.lease.created_at.timestamp() * 1_000_000)
    name = f"ordinaut-{run_name(claimed.lease.run_id)}-{made:x}"
    return f"{name}/{path}" if path else name


def _is_over(record: StepRecord) -> bool:
    if record.state in {StepState.SUCCEEDED, StepState.SKIPPED}:
        return True
    return bool(record.error and record.error.get("continued"))


def _read_back(progress: Progress, step: Step, record: StepRecord) -> None:
    if record.state is not StepState.SKIPPED:
        progress.take(step, record.output)
