"""One attempt at one step: condition, intent journalled, call, checks, result journalled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ordinaut_mcp.domain.clean import OUTPUT, clean_json
from ordinaut_mcp.domain.condition import ConditionError
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.pipeline import OnUnknown, Step
from ordinaut_mcp.domain.retry import RetryPolicy
from ordinaut_mcp.domain.run import Lease, StepRecord, StepState
from ordinaut_mcp.domain.task import Policies
from ordinaut_mcp.domain.template import RenderContext, RenderError, render
from ordinaut_mcp.domain.tool import RETRIED, Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.ports import RunQueue
from ordinaut_mcp.runtime.persistence import fenced
from ordinaut_mcp.runtime.steps.call import StepCall
from ordinaut_mcp.runtime.steps.catalog import RAW
from ordinaut_mcp.runtime.tools import PipelineTools


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
    """Carries out one step once."""

    def __init__(
        self,
        queue: RunQueue,
        tools: PipelineTools,
        *,
        lease: Lease,
        step: Step,
        position: int,
        before: StepRecord | None,
        failures: int,
        context: RenderContext,
        policies: Policies,
        key: str,
    ) -> None:
        self._queue = queue
        self._tools = tools
        self._lease = lease
        self._step = step
        self._position = position
        self._before = before
        self._spent = failures
        self._context = context
        self._policies = policies
        self._key = key
        self._policy = step.retry.over(policies.retry) if step.retry else policies.retry

    async def carry_out(self) -> StepResult:
        """The result; whatever it is, the journal has it."""
        try:
            if not self._is_wanted():
                await self._finish(StepState.SKIPPED, output=None, error=None)
                return Continued(skipped=True)
            if self._was_in_flight() and not await self._may_repeat():
                return await self._unknown(self._lost())
            call = self._call()
        except (RenderError, ConditionError, InvalidInput) as error:
            kind = FaultKind.CONDITION if isinstance(error, ConditionError) else FaultKind.TEMPLATE
            return await self._fault(Fault(kind=kind, message=error.message, hint=error.hint))
        await self._begin(call.arguments)
        return await self._settled(await self._called(call))

    def _is_wanted(self) -> bool:
        condition = self._step.condition
        if condition is None or self._was_in_flight():
            return True
        return condition.holds(self._context.roots(), zone=self._context.zone)

    def _was_in_flight(self) -> bool:
        return self._before is not None and self._before.state is StepState.RUNNING

    async def _may_repeat(self) -> bool:
        if self._step.on_unknown is not None:
            return self._step.on_unknown is OnUnknown.RETRY
        hints = await self._tools.hints(self._step.uses)
        return hints.read_only or hints.idempotent

    def _call(self) -> StepCall:
        return StepCall(
            arguments=self._rendered(), context=self._context, idempotency_key=self._key
        )

    def _rendered(self) -> Mapping[str, Any]:
        # A repeated call says the same as the one whose outcome nobody knows.
        if self._was_in_flight() and self._before is not None:
            return self._before.input or {}
        raw = {
            name: value
            for name, value in self._step.arguments.items()
            if (self._step.uses, name) in RAW
        }
        others = {name: value for name, value in self._step.arguments.items() if name not in raw}
        return {**render(others, self._context, field=f"{self._step.field}.with"), **raw}

    async def _called(self, call: StepCall) -> ToolOutcome:
        timeout = self._step.timeout or self._policies.step_timeout
        outcome = await self._tools.call(self._step.uses, call, timeout=timeout)
        return _storable(outcome) if isinstance(outcome, Returned) else outcome

    async def _settled(self, outcome: ToolOutcome) -> StepResult:
        if isinstance(outcome, Returned):
            return await self._returned(outcome.value)
        unsure = outcome.sent and outcome.kind in {FaultKind.TIMEOUT, FaultKind.CONNECTION_LOST}
        if unsure and not await self._may_repeat():
            return await self._unknown(outcome)
        return await self._fault(outcome)

    async def _returned(self, value: Any) -> StepResult:
        if problem := self._wrong_output(value):
            return await self._fault(problem, output=value)
        if problem := self._not_verified(value):
            return await self._fault(problem, output=value)
        await self._finish(StepState.SUCCEEDED, output=value, error=None)
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
        try:
            holds = condition.holds(
                {**self._context.roots(), "result": value}, zone=self._context.zone
            )
        except ConditionError as error:
            return Fault(kind=FaultKind.CONDITION, message=error.message)
        message = f"Executed, but not verified: '{condition.text}' does not hold."
        return None if holds else Fault(kind=FaultKind.NOT_VERIFIED, message=message, sent=True)

    async def _fault(self, fault: Fault, *, output: Any = None) -> StepResult:
        failures = self._spent + 1
        is_retried = fault.kind in RETRIED and failures <= self._policy.max_retries
        error = {**self._told(fault), "failures": failures}
        if not is_retried and self._step.on_error.continues:
            fallback = self._step.on_error.fallback
            await self._finish(
                StepState.FAILED, output=fallback, error={**error, "continued": True}
            )
            return Continued(fallback, error=error)
        # A worker that dies before the run is settled leaves this as the last word.
        final = {} if is_retried else {"final": True}
        await self._finish(StepState.FAILED, output=output, error={**error, **final})
        return StepFailed(
            error=error, policy=self._policy, failures=failures, is_retried=is_retried
        )

    async def _unknown(self, fault: Fault) -> StepResult:
        error = {
            **self._told(fault),
            "code": "outcome_unknown",
            "hint": "The call was sent and may have had its effect. Look there, then cancel the"
            " task, or give the step on_unknown: retry or fail and run it anew.",
        }
        await self._finish(StepState.UNKNOWN, output=None, error=error)
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

    async def _begin(self, arguments: Mapping[str, Any]) -> None:
        record = self._record(StepState.RUNNING, input=dict(arguments), error=None, output=None)
        await fenced(lambda: self._queue.begin_step(self._lease, record))

    async def _finish(self, state: StepState, *, output: Any, error: Any) -> None:
        record = self._record(state, input=None, output=output, error=error)
        await fenced(lambda: self._queue.finish_step(self._lease, record))

    def _record(self, state: StepState, *, input: Any, output: Any, error: Any) -> StepRecord:
        return StepRecord(
            path=self._step.id,
            position=self._position,
            uses=self._step.uses,
            state=state,
            attempt=(self._before.attempt if self._before else 0) + 1,
            input=input,
            output=output,
            error=error,
        )


def _storable(outcome: Returned) -> ToolOutcome:
    try:
        return Returned(clean_json(outcome.value, field="result", limits=OUTPUT))
    except InvalidInput as error:
        is_large = error.code in {"too_large", "too_many_keys"}
        kind = FaultKind.OUTPUT_TOO_LARGE if is_large else FaultKind.UNSTORABLE_OUTPUT
        return Fault(kind=kind, message=error.message, sent=True)


def _storable_text(text: str) -> str:
    """A foreign text, with what no journal can keep replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
