"""`llm.plan`: one call of the configured model; and the local fake for tests and demos."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import LanguageModel
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall

OWN = frozenset({"instruction", "output_schema"})


def planner(model: LanguageModel | None) -> Builtin:
    """The built-in over this model; without one every call says how to configure it."""

    async def plan(call: StepCall) -> ToolOutcome:
        if model is None:
            return Fault(
                kind=FaultKind.NOT_REACHABLE,
                message="No model is configured for llm.plan.",
                hint="Set ORDINAUT_LLM_PROVIDER (in this version: fake, a local stand-in).",
            )
        data = {name: value for name, value in call.arguments.items() if name not in OWN}
        try:
            result = await model.complete(
                call.arguments["instruction"],
                data=data,
                output_schema=call.arguments.get("output_schema"),
            )
        except OrdinautError as error:
            return Fault(kind=FaultKind.TOOL_ERROR, message=error.message, hint=error.hint)
        return Returned(dict(result))

    return plan


class FakeModel:
    """A stand-in that answers at once, always the same to the same question, and says what it is.

    With an `output_schema` its `data` is the smallest value of the schema's kinds.
    """

    async def complete(
        self, instruction: str, *, data: Mapping[str, Any], output_schema: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """`{text, data, usage}` made of the question itself."""
        given = "; ".join(
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in data.items()
        )
        text = f"[fake model] {instruction}" + (f" — {given}" if given else "")
        usage = {"input_tokens": len(text.split()), "output_tokens": len(text.split()), "cost": 0}
        answer: dict[str, Any] = {"text": text, "usage": usage}
        return {**answer, "data": _smallest(output_schema)} if output_schema else answer


def _smallest(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties: Mapping[str, Any] = schema.get("properties", {})
            return {
                name: _smallest(properties.get(name, {})) for name in schema.get("required", ())
            }
        case "array":
            return []
        case "string":
            return ""
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return None
