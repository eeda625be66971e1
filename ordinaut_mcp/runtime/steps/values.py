"""`value.set` and `value.check`: steps that only compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ordinaut_mcp.domain.condition import Condition, ConditionError
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput

GivesContext = Callable[[], RenderContext]


def set_value(arguments: Mapping[str, Any], context: GivesContext) -> ToolOutcome:
    """The result is `value` itself."""
    del context
    return Returned(arguments.get("value"))


def check_value(arguments: Mapping[str, Any], context: GivesContext) -> ToolOutcome:
    """True when the condition holds; else the step fails with the message."""
    try:
        holds = _holds(arguments["condition"], context)
    except (ConditionError, InvalidInput) as error:
        return Fault(kind=FaultKind.CONDITION, message=error.message, hint=error.hint)
    if holds:
        return Returned(True)
    message = arguments.get("message") or "The condition does not hold."
    return Fault(kind=FaultKind.CHECK_FAILED, message=str(message))


def _holds(condition: Any, context: GivesContext) -> bool:
    if isinstance(condition, str):
        parsed = Condition.parse(condition, field="condition")
        return parsed.holds(context().roots(), zone=context().zone)
    return bool(condition)
