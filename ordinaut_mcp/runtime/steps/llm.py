"""`llm.plan` and `llm.complete`: one call of the configured model, held to its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from ordinaut_mcp.domain.clean import OUTPUT, strict_loads
from ordinaut_mcp.domain.json_schema import Validator, compile_schema
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput, OrdinautError
from ordinaut_mcp.ports import LanguageModel
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall

OWN: Final = frozenset({"instruction", "output_schema"})
REPAIR: Final = (
    "Your first answer to this is in the data as `first_answer`, and what is wrong with it as"
    " `first_answer_problems`. Answer again, so that it fits the schema."
)
_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)
Answer = Mapping[str, Any]


def planner(model: LanguageModel | None) -> Builtin:
    """The built-in over this model; without one every call says how to configure it."""

    async def plan(call: StepCall) -> ToolOutcome:
        if model is None:
            return Fault(
                kind=FaultKind.NOT_REACHABLE,
                message="No model is configured for steps.",
                hint="Set ORDINAUT_LLM_PROVIDER: openai (and whatever speaks like it), anthropic,"
                " or fake, a local stand-in.",
            )
        try:
            return await _planned(model, call)
        except InvalidInput as error:
            return Fault(kind=FaultKind.BAD_ARGUMENTS, message=error.message, hint=error.hint)
        except OrdinautError as error:
            return Fault(kind=FaultKind.TOOL_ERROR, message=error.message, hint=error.hint)

    return plan


async def _planned(model: LanguageModel, call: StepCall) -> ToolOutcome:
    schema = call.arguments.get("output_schema")
    validator = compile_schema(schema, field="with.output_schema") if schema is not None else None
    instruction: str = call.arguments["instruction"]
    data = {name: value for name, value in call.arguments.items() if name not in OWN}
    answer = await model.complete(instruction, data=data, output_schema=schema)
    if validator is None or isinstance(answer, Fault):
        return answer if isinstance(answer, Fault) else Returned(dict(answer))
    value, problems = _judged(answer, validator)
    if not problems:
        return Returned({**answer, "data": value})
    return await _repaired(model, call, validator, first=answer, problems=problems)


async def _repaired(
    model: LanguageModel,
    call: StepCall,
    validator: Validator,
    *,
    first: Answer,
    problems: list[str],
) -> ToolOutcome:
    """One more call, with what was wrong; both are paid for."""
    data = {name: value for name, value in call.arguments.items() if name not in OWN}
    data |= {"first_answer": first["text"], "first_answer_problems": problems}
    answer = await model.complete(
        f"{call.arguments['instruction']}\n\n{REPAIR}",
        data=data,
        output_schema=call.arguments["output_schema"],
    )
    if isinstance(answer, Fault):
        return replace(answer, usage=_sum(first["usage"], answer.usage or {}))
    usage = _sum(first["usage"], answer["usage"])
    value, problems = _judged(answer, validator)
    if not problems:
        return Returned({**answer, "data": value, "usage": usage})
    return Fault(
        kind=FaultKind.BAD_OUTPUT,
        message=f"The model's answer does not fit output_schema: {'; '.join(problems)}",
        hint="Say in the instruction what is wanted, make the schema simpler, or take a larger"
        " model.",
        sent=True,
        usage=usage,
    )


def _judged(answer: Answer, validator: Validator) -> tuple[Any, list[str]]:
    """The answer's value, and what is wrong with it."""
    value = answer.get("data")
    if "data" not in answer:
        fenced = _FENCED.fullmatch(answer["text"])
        try:
            value = strict_loads(
                fenced[1] if fenced else answer["text"], field="the answer", limits=OUTPUT
            )
        except InvalidInput as error:
            return None, [error.message]
    return value, [
        f"{problem.field('data')} {problem.message}" for problem in validator.problems(value)[:5]
    ]


def _sum(first: Answer, second: Answer) -> dict[str, Any]:
    """What two calls have cost; a cost that is not known stays unknown."""
    costs = (first.get("cost"), second.get("cost") if second else 0)
    return {
        "input_tokens": first.get("input_tokens", 0) + second.get("input_tokens", 0),
        "output_tokens": first.get("output_tokens", 0) + second.get("output_tokens", 0),
        "cost": None if None in costs else sum(cost for cost in costs if cost is not None),
    }


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
        if output_schema is None:
            return answer
        return {**answer, "data": _smallest(output_schema)}


def _smallest(schema: Mapping[str, Any]) -> Any:
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _smallest(schema[word][0])
    kind = schema.get("type")
    first = cast("list[str]", kind)[0] if isinstance(kind, list) else kind
    return _smallest_of(first, schema)


def _smallest_of(kind: object, schema: Mapping[str, Any]) -> Any:
    match kind:
        case "object":
            properties: Mapping[str, Any] = schema.get("properties", {})
            return {
                name: _smallest(properties.get(name, {})) for name in schema.get("required", ())
            }
        case "array":
            return [_smallest(schema.get("items", {}))] * schema.get("minItems", 0)
        case "string":
            return "x" * schema.get("minLength", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return None
