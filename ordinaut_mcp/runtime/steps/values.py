"""`value.set` and `value.check`: steps that only compute."""

from __future__ import annotations

from ordinaut_mcp.domain.condition import Condition, ConditionError
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.runtime.steps.call import StepCall


def set_value(call: StepCall) -> ToolOutcome:
    """The result is `value` itself."""
    return Returned(call.arguments.get("value"))


def check_value(call: StepCall) -> ToolOutcome:
    """True when the condition holds; else the step fails with the message."""
    try:
        holds = _holds(call)
    except (ConditionError, InvalidInput) as error:
        return Fault(kind=FaultKind.CONDITION, message=error.message, hint=error.hint)
    if holds:
        return Returned(True)
    message = call.arguments.get("message") or "The condition does not hold."
    return Fault(kind=FaultKind.CHECK_FAILED, message=str(message))


def _holds(call: StepCall) -> bool:
    condition = call.arguments["condition"]
    if isinstance(condition, str):
        parsed = Condition.parse(condition, field="condition")
        return parsed.holds(call.context.roots(), zone=call.context.zone)
    return bool(condition)
