"""One attempt at a run: step by step over its journal, as far as it goes."""

from __future__ import annotations

from random import Random

import anyio

from ordinaut_mcp.domain.run import (
    Failed,
    JournalLine,
    Outcome,
    Parked,
    StepRecord,
    StepState,
    Succeeded,
)
from ordinaut_mcp.domain.step import OnUnknown, Step
from ordinaut_mcp.runtime.scene import Scene
from ordinaut_mcp.runtime.step_attempt import (
    Asked,
    Continued,
    StepAttempt,
    StepFailed,
    StepResult,
)


class RunAttempt:
    """Steps that only compute run at once; the others wait in `carry_out`.

    A step that the journal has as succeeded is never called again.
    """

    def __init__(self, scene: Scene, random: Random) -> None:
        self._scene = scene
        self._random = random
        self._position = 0
        self._under_way: StepAttempt | None = None
        """The step that has to wait for something."""

    @property
    def lines(self) -> list[JournalLine]:
        """What the journal does not have yet."""
        return self._scene.lines

    def compute(self) -> Outcome | None:
        """Go on without waiting; None: the next step has to wait, which `carry_out` does."""
        steps = self._scene.plan.pipeline.steps
        while self._position < len(steps):
            step = steps[self._position]
            record = self._scene.claimed.journal.get(step.id)
            if record and _is_over(record):
                self._read_back(step, record)
                continue
            if record and (ended := _ended(step, record)):
                return ended
            attempt = self._attempt(step, record)
            result = attempt.compute()
            if result is None:
                self._under_way = attempt
                return None
            if outcome := self._taken(step, result):
                return outcome
        return Succeeded(self._scene.last, self._scene.verified)

    async def carry_out(self) -> Outcome:
        """Go on to the end of the attempt.

        Raises:
            LeaseLost: another worker holds the run now.
        """
        limit = self._scene.policies.run_timeout.total_seconds()
        with anyio.move_on_after(limit):
            return await self._to_the_end()
        return self._out_of_time(limit)

    async def _to_the_end(self) -> Outcome:
        outcome = self.compute() if self._under_way is None else None
        while outcome is None:
            if self._under_way is None:
                outcome = self.compute()
                continue
            step = self._scene.plan.pipeline.steps[self._position]
            result = await self._under_way.carry_out()
            self._under_way = None
            outcome = self._taken(step, result)
        return outcome

    def _attempt(self, step: Step, record: StepRecord | None) -> StepAttempt:
        return StepAttempt(
            self._scene,
            step,
            path=step.id,
            position=self._position,
            before=record,
            context=self._scene.context,
        )

    def _taken(self, step: Step, result: StepResult) -> Outcome | None:
        match result:
            case Continued(value=value, skipped=skipped, error=error):
                if not skipped:
                    self._scene.take(step, value, error=error)
                self._position += 1
                return None
            case StepFailed():
                return self._failed(result)
            case Asked(error=error):
                return Parked(error)

    def _read_back(self, step: Step, record: StepRecord) -> None:
        if record.state is not StepState.SKIPPED:
            self._scene.take(step, record.output, error=record.error)
        self._position += 1

    def _failed(self, failed: StepFailed) -> Failed:
        verified = False if failed.error["code"] == "not_verified" else None
        if not failed.is_retried:
            return Failed(failed.error, None, verified)
        rest = failed.policy.rest_after(failed.failures, self._random)
        return Failed(failed.error, rest.total_seconds(), verified)

    def _out_of_time(self, limit: float) -> Failed:
        """The run's time is up: what became of the call under way is not known."""
        error = {
            "code": "run_timeout",
            "message": f"The run took longer than {limit:g} s.",
            "hint": "Give run_timeout_seconds, or make its steps faster.",
        }
        if self._under_way is not None:
            error |= self._under_way.give_up(error)
        return Failed(error)


def _is_over(record: StepRecord) -> bool:
    if record.state in {StepState.SUCCEEDED, StepState.SKIPPED}:
        return True
    is_failed = record.state is StepState.FAILED
    return bool(is_failed and record.error and record.error.get("continued"))


def _ended(step: Step, record: StepRecord) -> Outcome | None:
    """What an earlier attempt came to, when its worker died before it could settle the run."""
    error = record.error or {}
    if record.state is StepState.UNKNOWN and step.on_unknown is not OnUnknown.FAIL:
        return Parked(error)
    is_final = record.state is StepState.FAILED and error.get("final")
    if record.state is StepState.UNKNOWN or is_final:
        return Failed(error, None, False if error.get("code") == "not_verified" else None)
    return None
