"""The executor: carries out one attempt of a run, step by step, over its journal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio

from ordinaut_mcp.domain.pipeline import OnUnknown, Pipeline, Step, parse_pipeline
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
from ordinaut_mcp.runtime.persistence import fenced
from ordinaut_mcp.runtime.tools import PipelineTools

log = logging.getLogger(__name__)

CORRECT = "Correct the task: update_task."
UNREADABLE = {
    "code": "internal_error",
    "message": "What is stored of this task's definition cannot be read.",
    "hint": "Schedule it anew: schedule_task with all its arguments.",
}


@dataclass(slots=True)
class Progress:
    """What an attempt knows so far: the values of the steps, and whether something was verified."""

    claimed: ClaimedRun
    definition: TaskDefinition
    steps: dict[str, Any] = field(default_factory=dict[str, Any])
    last: Any = None
    verified: bool | None = None
    under_way: tuple[int, Step] | None = None
    """The step that an attempt has begun and not ended."""

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

    def take(self, step: Step, value: Any, *, error: Mapping[str, Any] | None = None) -> None:
        """The step ended with this value; with `error`, it stands in for the result."""
        self.steps[step.save_as] = self.last = value
        if error and error["code"] == "not_verified":
            self.verified = False
        elif not error and step.verify is not None and self.verified is None:
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
            pipeline = parse_pipeline(list(definition.pipeline))
            progress = Progress(claimed, definition)
            progress.context()
        except OrdinautError as error:
            return Failed({"hint": CORRECT, **error.as_dict()})
        except (LookupError, TypeError, ValueError, AttributeError):
            log.exception("%s: its definition cannot be read", run_name(claimed.lease.run_id))
            return Failed(UNREADABLE)
        limit = definition.policies.run_timeout.total_seconds()
        with anyio.move_on_after(limit):
            return await self._steps(progress, pipeline)
        return await self._out_of_time(progress, limit)

    async def _steps(self, progress: Progress, pipeline: Pipeline) -> Outcome:
        for position, step in enumerate(pipeline.steps):
            record = progress.claimed.journal.get(step.id)
            if record and _is_over(record):
                _read_back(progress, step, record)
                continue
            if record and (ended := _ended(step, record)):
                return ended
            progress.under_way = place = (position, step)
            match await self._attempt(progress, place, record).carry_out():
                case Continued(skipped=True):
                    continue
                case Continued(value=value, error=error):
                    progress.take(step, value, error=error)
                case StepFailed() as failed:
                    return self._failed(failed)
                case Asked(error=error):
                    return Parked(error)
        return Succeeded(progress.last, progress.verified)

    def _attempt(
        self, progress: Progress, place: tuple[int, Step], record: StepRecord | None
    ) -> StepAttempt:
        position, step = place
        return StepAttempt(
            self._queue,
            self._tools,
            lease=progress.claimed.lease,
            step=step,
            position=position,
            before=record,
            failures=_failures(record) if step.retry else progress.claimed.failures,
            context=progress.context(),
            policies=progress.definition.policies,
            key=idempotency_key(progress.claimed, step.id),
        )

    def _failed(self, failed: StepFailed) -> Failed:
        verified = False if failed.error["code"] == "not_verified" else None
        if not failed.is_retried:
            return Failed(failed.error, None, verified)
        rest = failed.policy.rest_after(failed.failures, self._random)
        return Failed(failed.error, rest.total_seconds(), verified)

    async def _out_of_time(self, progress: Progress, limit: float) -> Failed:
        """The run's time is up: what became of the call under way is not known."""
        error: dict[str, Any] = {
            "code": "run_timeout",
            "message": f"The run took longer than {limit:g} s.",
            "hint": "Give run_timeout_seconds, or make its steps faster.",
        }
        if progress.under_way is None:
            return Failed(error)
        position, step = progress.under_way
        error |= {"step": step.id, "index": position}
        record = StepRecord(
            path=step.id, position=position, uses=step.uses, state=StepState.UNKNOWN, error=error
        )
        await fenced(lambda: self._queue.finish_step(progress.claimed.lease, record))
        return Failed(error)


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
        progress.take(step, record.output, error=record.error)


def _ended(step: Step, record: StepRecord) -> Outcome | None:
    """What an earlier attempt came to, when its worker died before it could settle the run."""
    error = record.error or {}
    if record.state is StepState.UNKNOWN and step.on_unknown is not OnUnknown.FAIL:
        return Parked(error)
    if record.state is StepState.UNKNOWN or error.get("final"):
        return Failed(error, None, False if error.get("code") == "not_verified" else None)
    return None


def _failures(record: StepRecord | None) -> int:
    return int(((record and record.error) or {}).get("failures", 0))
