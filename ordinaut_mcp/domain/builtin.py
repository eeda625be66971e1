"""The built-in tools of pipelines: their place in the catalog, beside those of tool servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ordinaut_mcp.domain.tool import ToolHints, ToolSpec

COMPUTES: Final = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=False)
ASKS: Final = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=True)
TELLS: Final = ToolHints(read_only=False, destructive=False, idempotent=True, open_world=False)
"""It has an effect, once for each key."""

GROUPS: Final = frozenset(
    {"value", "llm", "http", "inbox", "notify", "events", "approval", "wait", "task", "agent"}
)
"""First parts of `uses` that are ours; no tool server may be named like one."""

NOT_YET: Final[Mapping[str, str]] = {
    "notify.send": "a message to a person",
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
_MODEL_ARGUMENTS: Final = _object(
    {
        "instruction": {"type": "string", "minLength": 1, "maxLength": 20_000},
        "output_schema": {"type": "object"},
    },
    "instruction",
    open_end=True,
)
_MODEL_ANSWER: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "data": {},
        "usage": {
            "type": "object",
            "properties": {
                "input_tokens": {"type": "integer", "minimum": 0},
                "output_tokens": {"type": "integer", "minimum": 0},
                "cost": {"type": ["number", "null"], "description": "Null: no price is set."},
            },
        },
    },
    "required": ["text", "usage"],
}
LLM_PLAN: Final = ToolSpec(
    server="llm",
    name="plan",
    description=(
        "One call of the configured model: `instruction` says what to do, every other argument is"
        " given to it as data. The result is {text, data, usage}; `data` follows `output_schema`"
        " where one is given."
    ),
    input_schema=_MODEL_ARGUMENTS,
    output_schema=_MODEL_ANSWER,
    hints=ASKS,
)
LLM_COMPLETE: Final = ToolSpec(
    server="llm",
    name="complete",
    description=(
        "One call of the configured model, the same as llm.plan under the name of another use:"
        " texts, summaries, classification, extraction."
    ),
    input_schema=_MODEL_ARGUMENTS,
    output_schema=_MODEL_ANSWER,
    hints=ASKS,
)
_PARAMETER: Final[Mapping[str, Any]] = {"type": ["string", "number", "boolean"]}
HTTP_REQUEST: Final = ToolSpec(
    server="http",
    name="request",
    description=(
        "One HTTP call to a public address; what the operator has allowed besides is open, too."
        " The result is {status, headers, url} with `json` where the answer is JSON, else `body`,"
        " or `body_base64` where it is no text. A status of 400 and above fails the step unless"
        " `allow_status` holds it. Redirects are followed; other methods than GET, HEAD and"
        " OPTIONS carry the step's key as Idempotency-Key."
    ),
    input_schema=_object(
        {
            "method": {
                "enum": ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
                "default": "GET",
            },
            "url": {
                "type": "string",
                "maxLength": 2048,
                "description": "https://…; http needs allow_http. Ports 80 and 443.",
            },
            "query": {
                "type": "object",
                "description": "Parameters that are added to the URL, encoded.",
                "additionalProperties": {
                    "anyOf": [_PARAMETER, {"type": "array", "items": _PARAMETER}]
                },
            },
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "maxProperties": 64,
            },
            "json": {"description": "The body, as JSON."},
            "body": {"type": "string", "description": "The body, as text; not beside json."},
            "allow_status": {
                "type": "array",
                "items": {"type": "integer", "minimum": 400, "maximum": 599},
                "description": "Statuses that are a result for this step, as [404].",
            },
            "max_bytes": {"type": "integer", "minimum": 1, "maximum": 1_048_576},
            "max_redirects": {"type": "integer", "minimum": 0, "maximum": 5},
            "allow_http": {"type": "boolean", "description": "Without encryption, too."},
        },
        "url",
    ),
    output_schema={
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "url": {"type": "string"},
            "json": {},
            "body": {"type": "string"},
            "body_base64": {"type": "string"},
        },
        "required": ["status", "headers", "url"],
    },
    hints=ToolHints(read_only=False, destructive=True, idempotent=False, open_world=True),
)
INBOX_SEND: Final = ToolSpec(
    server="inbox",
    name="send",
    description=(
        "A message to an agent's inbox, by default to the inbox of the task's owner: `text`, and"
        " `data` for content that is to be computed with. It is shown at once, after `in_seconds`"
        " or from `deliver_at` on (${now+24h}, or local time in the task's zone). A step sends it"
        " once, however often it is tried. The result is {message, to, deliver_at}."
    ),
    input_schema=_object(
        {
            "to": {"type": "string", "description": "The agent's name; default: the owner."},
            "text": {"type": "string", "minLength": 1},
            "data": {"type": "object"},
            "deliver_at": {"type": "string", "maxLength": 40},
            "in_seconds": {"type": "number", "minimum": 0, "maximum": 315_360_000},
        },
        "text",
    ),
    output_schema=_object(
        {
            "message": {"type": "string"},
            "to": {"type": "string"},
            "deliver_at": {"type": "string"},
        },
        "message",
        "to",
        "deliver_at",
    ),
    hints=TELLS,
)
EVENTS_PUBLISH: Final = ToolSpec(
    server="events",
    name="publish",
    description=(
        "An event: `topic` in dotted lower-case parts (report.weekly.done) with `data`. A step"
        " publishes it once, however often it is tried. The result is {event, topic}."
    ),
    input_schema=_object({"topic": {"type": "string"}, "data": {"type": "object"}}, "topic"),
    output_schema=_object(
        {"event": {"type": "string"}, "topic": {"type": "string"}}, "event", "topic"
    ),
    hints=TELLS,
)

BUILTINS: Final[Mapping[str, ToolSpec]] = {
    tool.uses: tool
    for tool in (
        VALUE_SET,
        VALUE_CHECK,
        LLM_PLAN,
        LLM_COMPLETE,
        HTTP_REQUEST,
        INBOX_SEND,
        EVENTS_PUBLISH,
    )
}
