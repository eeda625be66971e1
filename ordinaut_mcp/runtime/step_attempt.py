"""One attempt at one step: condition, intent journalled, call, checks, result journalled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from ordinaut_mcp.domain.clean import OUTPUT, clean_json
from ordinaut_mcp.domain.condition import ConditionError
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.redrive import REPEAT
from ordinaut_mcp.domain.retry import RetryPolicy
from ordinaut_mcp.domain.run import StepRecord, StepState
from ordinaut_mcp.domain.step import OnUnknown, Step
from ordinaut_mcp.domain.template import RenderContext, RenderError, render
from ordinaut_mcp.domain.tool import RETRIED, Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.runtime.scene import Scene
from ordinaut_mcp.runtime.steps.call import StepCall
from ordinaut_mcp.runtime.steps.catalog import RAW


@dataclass(frozen=True, slots=True)
class Continued:
    """The pipeline goes on with this value; `skipped`: the condition did not hold.

    `error`: the step failed, and the value is its fallback.
    """

    value: Any = None
    skipped: bool = False
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """The step failed; `failures` that count so far, and whether another attempt makes sense."""

    error: Mapping[str, Any]
    policy: RetryPolicy
    failures: int
    is_retried: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """The outcome of a call is unknown, and only somebody else can say what to do."""

    error: Mapping[str, Any]


StepResult = Continued | StepFailed | Asked


class StepAttempt:
    """Carries out one step once. What only computes is done at once, and journalled later."""

    def __init__(
        self,
        scene: Scene,
        step: Step,
        *,
        path: str,
        position: int,
        before: StepRecord | None,
        context: Callable[[], RenderContext],
    ) -> None:
        self._scene = scene
        self._step = step
        self._path = path
        self._position = position
        self._before = before
        self._context = context
        self._began = time.monotonic()
        self._input: dict[str, Any] | None = None
        policies = scene.policies
        self._policy = step.retry.over(policies.retry) if step.retry else policies.retry
        self._spent = _failures(before) if step.retry else scene.claimed.failures

    def compute(self) -> StepResult | None:
        """The result of a step that only computes or is left out; None: it has to wait."""
        if self._was_in_flight():
            return None
        try:
            if not self._is_wanted():
                self._note(StepState.SKIPPED)
                return Continued(skipped=True)
            if not self._scene.tools.computes(self._step.uses):
                return None
            self._input = self._rendered()
        except (RenderError, ConditionError, InvalidInput) as error:
            return self._unrendered(error)
        outcome = self._scene.compute(self._step, self._input, self._context)
        return self._settled(_storable_outcome(outcome))

    async def carry_out(self) -> StepResult:
        """The result of a step that calls a tool.

        Raises:
            LeaseLost: another worker holds the run now.
        """
        if self._was_in_flight() and not (self._is_allowed() or await self._may_repeat()):
            return self._unknown(self._lost())
        try:
            call = self._call()
        except (RenderError, ConditionError, InvalidInput) as error:
            return self._unrendered(error)
        before = dict((self._before and self._before.error) or {})
        before.pop(REPEAT, None)
        await self._scene.begin(self._record(StepState.RUNNING, error=before or None))
        outcome = await self._called(call)
        if _is_unsure(outcome) and not await self._may_repeat():
            return self._unknown(outcome)
        return self._settled(outcome)

    def give_up(self, why: Mapping[str, Any]) -> dict[str, Any]:
        """The run's time is up while the call is under way: where, for the run's error."""
        place = {"step": self._step.id, "index": self._position}
        self._note(StepState.UNKNOWN, error={**why, **place})
        return place

    def _unrendered(self, error: RenderError | ConditionError | InvalidInput) -> StepResult:
        kind = FaultKind.CONDITION if isinstance(error, ConditionError) else FaultKind.TEMPLATE
        return self._fault(Fault(kind=kind, message=error.message, hint=error.hint))

    def _is_wanted(self) -> bool:
        condition = self._step.condition
        if condition is None:
            return True
        return condition.holds(self._context().roots(), zone=self._context().zone)

    def _was_in_flight(self) -> bool:
        return self._before is not None and self._before.state is StepState.RUNNING

    def _is_allowed(self) -> bool:
        """Whether somebody decided that the call in flight be repeated, once."""
        error = self._before.error if self._before else None
        return bool(error and error.get(REPEAT))

    async def _may_repeat(self) -> bool:
        if self._step.on_unknown is not None:
            return self._step.on_unknown is OnUnknown.RETRY
        given = self._input or (self._before and self._before.input) or {}
        hints = await self._scene.tools.hints(self._step.uses, given)
        return hints.read_only or hints.idempotent

    def _call(self) -> StepCall:
        self._input = self._rendered()
        return StepCall(
            arguments=self._input,
            context=self._context(),
            idempotency_key=self._scene.key(self._path),
            owner=self._scene.claimed.owner,
            timeout=self._step.timeout or self._scene.policies.step_timeout,
        )

    def _rendered(self) -> dict[str, Any]:
        # A repeated call says the same as the one whose outcome nobody knows.
        if self._was_in_flight() and self._before is not None:
            return dict(self._before.input or {})
        arguments = self._step.arguments
        if self._step.id in self._scene.plan.plain:
            return dict(arguments)
        raw = {name: value for name, value in arguments.items() if (self._step.uses, name) in RAW}
        others = {name: value for name, value in arguments.items() if name not in raw}
        return {**render(others, self._context(), field=f"{self._step.field}.with"), **raw}

    async def _called(self, call: StepCall) -> ToolOutcome:
        timeout = call.timeout or self._scene.policies.step_timeout
        return _storable_outcome(
            await self._scene.tools.call(self._step.uses, call, timeout=timeout)
        )

    def _settled(self, outcome: ToolOutcome) -> StepResult:
        if isinstance(outcome, Returned):
            return self._returned(outcome.value)
        return self._fault(outcome)

    def _returned(self, value: Any) -> StepResult:
        if problem := self._wrong_output(value):
            return self._fault(problem, output=value)
        if problem := self._not_verified(value):
            return self._fault(problem, output=value)
        self._note(StepState.SUCCEEDED, output=value)
        return Continued(value)

    def _wrong_output(self, value: Any) -> Fault | None:
        if self._step.output_schema is None:
            return None
        validator = compile_schema(dict(self._step.output_schema), field="output_schema")
        problems = "; ".join(str(one) for one in validator.problems(value))
        message = f"The result does not fit output_schema: {problems}"
        return Fault(kind=FaultKind.BAD_OUTPUT, message=message, sent=True) if problems else None

    def _not_verified(self, value: Any) -> Fault | None:
        condition = self._step.verify
        if condition is None:
            return None
        context = self._context()
        try:
            holds = condition.holds({**context.roots(), "result": value}, zone=context.zone)
        except ConditionError as error:
            return Fault(kind=FaultKind.CONDITION, message=error.message)
        message = f"Executed, but not verified: '{condition.text}' does not hold."
        return None if holds else Fault(kind=FaultKind.NOT_VERIFIED, message=message, sent=True)

    def _fault(self, fault: Fault, *, output: Any = None) -> StepResult:
        failures = self._spent + 1
        is_retried = fault.kind in RETRIED and failures <= self._policy.max_retries
        error = {**self._told(fault), "failures": failures}
        if not is_retried and self._step.on_error.continues:
            fallback = self._step.on_error.fallback
            self._note(StepState.FAILED, output=fallback, error={**error, "continued": True})
            return Continued(fallback, error=error)
        # A worker that dies before the run is settled leaves this as the last word.
        final = {} if is_retried else {"final": True}
        self._note(StepState.FAILED, output=output, error={**error, **final})
        return StepFailed(
            error=error, policy=self._policy, failures=failures, is_retried=is_retried
        )

    def _unknown(self, fault: Fault) -> StepResult:
        error = {
            **self._told(fault),
            "code": "outcome_unknown",
            "hint": "The call was sent and may have had its effect. Look there, then call"
            " retry_run to repeat it with the same key, or cancel_run.",
        }
        self._note(StepState.UNKNOWN, error=error)
        if self._step.on_unknown is OnUnknown.FAIL:
            return StepFailed(error=error, policy=self._policy, failures=1, is_retried=False)
        return Asked(error)

    def _lost(self) -> Fault:
        message = "The worker stopped while this call was under way; its outcome is not known."
        return Fault(kind=FaultKind.CONNECTION_LOST, message=message, sent=True)

    def _told(self, fault: Fault) -> dict[str, Any]:
        message = f"Step '{self._step.id}' ({self._step.uses}): {fault.message}"
        told = {
            "code": fault.kind.value,
            "message": _storable_text(message),
            "step": self._step.id,
            "index": self._position,
            "hint": fault.hint and _storable_text(fault.hint),
        }
        return {name: part for name, part in told.items() if part is not None}

    def _note(self, state: StepState, *, output: Any = None, error: Any = None) -> None:
        record = self._record(state, output=output, error=error)
        self._scene.note(record, began=self._began)

    def _record(self, state: StepState, *, output: Any = None, error: Any = None) -> StepRecord:
        return StepRecord(
            path=self._path,
            position=self._position,
            uses=self._step.uses,
            state=state,
            attempt=(self._before.attempt if self._before else 0) + 1,
            input=self._input,
            output=output,
            error=error,
        )


def _is_unsure(outcome: ToolOutcome) -> TypeGuard[Fault]:
    """Whether nobody knows what came of the call."""
    return (
        isinstance(outcome, Fault)
        and outcome.sent
        and outcome.kind in {FaultKind.TIMEOUT, FaultKind.CONNECTION_LOST}
    )


def _failures(record: StepRecord | None) -> int:
    return int(((record and record.error) or {}).get("failures", 0))


def _storable_outcome(outcome: ToolOutcome) -> ToolOutcome:
    if not isinstance(outcome, Returned) or outcome.value is None or outcome.value is True:
        return outcome
    try:
        return Returned(clean_json(outcome.value, field="result", limits=OUTPUT))
    except InvalidInput as error:
        is_large = error.code in {"too_large", "too_many_keys"}
        kind = FaultKind.OUTPUT_TOO_LARGE if is_large else FaultKind.UNSTORABLE_OUTPUT
        return Fault(kind=kind, message=error.message, sent=True)


def _storable_text(text: str) -> str:
    """A foreign text, with what no journal can keep replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
