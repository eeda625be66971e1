"""From a tool's answer to the outcome of a step.

Structured content is the value as it is. Else a single text is the value, parsed if it is
JSON; several texts are joined by line feeds. An answer that holds anything besides text
(images, audio, resources) is the value `{"content": […]}` in MCP's own form, base64 included,
so that a later step can pass it on. An empty answer is null.
"""

from __future__ import annotations

from typing import Any, Final

from mcp.types import CallToolResult, TextContent

from ordinaut_mcp.domain.clean import OUTPUT, clean_json, json_size, strict_loads
from ordinaut_mcp.domain.json_schema import Validator
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput

LONGEST_ERROR: Final = 2048
"""Bytes of a tool's own error text that are kept."""
_TOO_LARGE: Final = {"too_large", "too_many_keys"}


def outcome_of(result: CallToolResult, output: Validator | None) -> ToolOutcome:
    """What the answer means: a value that can be stored and fits its schema, or a fault."""
    if result.is_error:
        text = kept(_text(result)) or "the tool failed and did not say why"
        return Fault(kind=FaultKind.TOOL_ERROR, message=text, sent=True)
    value = _value(result)
    if json_size(value, OUTPUT.size) > OUTPUT.size:
        return too_large(f"the output is larger than {OUTPUT.size} bytes")
    try:
        clean_json(value, field="output", limits=OUTPUT)
    except InvalidInput as error:
        if error.code in _TOO_LARGE:
            return too_large(error.message)
        kind = FaultKind.UNSTORABLE_OUTPUT
        return Fault(kind=kind, message=kept(error.message), sent=True)
    problem = misfit(output, value, "output")
    if problem:
        return Fault(kind=FaultKind.BAD_OUTPUT, message=kept(problem), sent=True)
    return Returned(value)


def misfit(schema: Validator | None, value: Any, root: str) -> str | None:
    """The first things about a value that do not fit its schema, as a sentence, or None."""
    problems = schema.problems(value)[:3] if schema else []
    told = [f"{problem.field(root) or 'it'} {problem.message}" for problem in problems]
    return "; ".join(told) or None


def too_large(message: str) -> Fault:
    hint = "let the tool return less: a page, a summary or a link"
    return Fault(kind=FaultKind.OUTPUT_TOO_LARGE, message=message, hint=hint, sent=True)


def kept(text: str) -> str:
    """A foreign text that can be stored: at most `LONGEST_ERROR` bytes, no NUL, no half pairs."""
    content = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    if len(content) <= LONGEST_ERROR:
        return content.decode()
    return content[: LONGEST_ERROR - 3].decode("utf-8", "ignore") + "…"


def _value(result: CallToolResult) -> Any:
    if result.structured_content is not None:
        return result.structured_content
    if not all(isinstance(part, TextContent) for part in result.content):
        return {
            "content": [
                part.model_dump(by_alias=True, exclude_none=True, mode="python")
                for part in result.content
            ]
        }
    if not result.content:
        return None
    text = _text(result)
    return _parsed(text) if len(result.content) == 1 else text


def _text(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def _parsed(text: str) -> Any:
    try:
        return strict_loads(text, field="output", limits=OUTPUT)
    except InvalidInput:
        return text
