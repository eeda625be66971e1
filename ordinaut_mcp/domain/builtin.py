"""The built-in tools of pipelines: their place in the catalog, beside those of tool servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ordinaut_mcp.domain.tool import ToolHints, ToolSpec

COMPUTES: Final = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=False)
ASKS: Final = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=True)

GROUPS: Final = frozenset(
    {"value", "llm", "http", "inbox", "notify", "events", "approval", "wait", "task", "agent"}
)
"""First parts of `uses` that are ours; no tool server may be named like one."""

NOT_YET: Final[Mapping[str, str]] = {
    "http.request": "one HTTP call",
    "llm.complete": "one model call",
    "inbox.send": "a message to an agent's inbox",
    "notify.send": "a message to a person",
    "events.publish": "an event",
    "approval.request": "a question to a person",
    "wait.for": "waiting for a time span",
    "wait.until": "waiting until an instant",
    "wait.event": "waiting for an event",
    "task.schedule": "scheduling another task",
    "task.run": "running another task",
    "agent.run": "a model with tools",
}
"""Promised by the language and not in this version: refused as `not_available` when stored."""


def _object(
    properties: Mapping[str, Any], *required: str, open_end: bool = False
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": open_end,
    }


VALUE_SET: Final = ToolSpec(
    server="value",
    name="set",
    description="Gives a value a name: the result is `value`, with its templates filled in.",
    input_schema=_object({"value": {"description": "Any value."}}, "value"),
    hints=COMPUTES,
)
VALUE_CHECK: Final = ToolSpec(
    server="value",
    name="check",
    description="Fails the step with `message` when `condition` does not hold; else true.",
    input_schema=_object(
        {
            "condition": {
                "description": "A condition over the same context, as in `if`, or true or false."
            },
            "message": {"type": "string", "maxLength": 1000},
        },
        "condition",
    ),
    output_schema={"type": "boolean"},
    hints=COMPUTES,
)
LLM_PLAN: Final = ToolSpec(
    server="llm",
    name="plan",
    description=(
        "One call of the configured model: `instruction` says what to do, every other argument is"
        " given to it as data. The result is {text, data, usage}; `data` follows `output_schema`"
        " where one is given."
    ),
    input_schema=_object(
        {
            "instruction": {"type": "string", "minLength": 1, "maxLength": 20_000},
            "output_schema": {"type": "object"},
        },
        "instruction",
        open_end=True,
    ),
    output_schema={
        "type": "object",
        "properties": {"text": {"type": "string"}, "data": {}, "usage": {"type": "object"}},
        "required": ["text", "usage"],
    },
    hints=ASKS,
)

BUILTINS: Final[Mapping[str, ToolSpec]] = {
    tool.uses: tool for tool in (VALUE_SET, VALUE_CHECK, LLM_PLAN)
}
