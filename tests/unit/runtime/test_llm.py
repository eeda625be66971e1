"""`llm.plan`, with a model, with the local stand-in, and with none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.steps.llm import FakeModel
from tests.unit.runtime.bench import Bench

pytestmark = pytest.mark.anyio


def a_plan(**arguments: Any) -> dict[str, Any]:
    return {"id": "plan", "uses": "llm.plan", "with": {"instruction": "Sum up", **arguments}}


async def test_without_a_model_the_step_says_how_to_configure_one() -> None:
    failure = await Bench(a_plan()).failure()

    assert failure.error["code"] == "tool_unavailable"
    assert "ORDINAUT_LLM_PROVIDER" in failure.error["hint"]
    assert failure.retry_in_seconds is not None


async def test_everything_but_the_instruction_is_given_to_the_model_as_data() -> None:
    class Model:
        async def complete(
            self, instruction: str, *, data: Mapping[str, Any], output_schema: object
        ) -> Mapping[str, Any]:
            return {"text": instruction, "data": dict(data), "usage": {"schema": output_schema}}

    schema = {"type": "object"}
    step = a_plan(mails=[1, 2], who="${params.who}", output_schema=schema)

    result = await Bench(step, params={"who": "Ann"}, model=Model()).output()

    assert result == {
        "text": "Sum up",
        "data": {"mails": [1, 2], "who": "Ann"},
        "usage": {"schema": schema},
    }


async def test_a_model_that_does_not_answer_fails_the_step_with_its_hint() -> None:
    class Away:
        async def complete(self, instruction: str, **_: Any) -> Mapping[str, Any]:
            raise Unavailable(f"no answer to {instruction}", hint="Look at the provider.")

    failure = await Bench(a_plan(), model=Away()).failure()

    assert failure.error["code"] == "tool_error"
    assert "no answer to Sum up" in failure.error["message"]
    assert failure.error["hint"] == "Look at the provider."


async def test_the_stand_in_says_what_it_is_and_what_it_was_given() -> None:
    result = await Bench(a_plan(n=[1]), model=FakeModel()).output()

    assert result["text"] == "[fake model] Sum up — n: [1]"
    assert result["usage"]["cost"] == 0
    assert "data" not in result


async def test_the_stand_in_answers_the_same_to_the_same_question() -> None:
    first = await FakeModel().complete("x", data={"a": 1}, output_schema=None)

    assert await FakeModel().complete("x", data={"a": 1}, output_schema=None) == first
    assert first["text"] == "[fake model] x — a: 1"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, ""),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number"}, 0),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "null"}, None),
        ({"enum": ["low", "high"]}, "low"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                "required": ["a", "c"],
            },
            {"a": "", "c": None},
        ),
    ],
)
async def test_the_stand_in_gives_the_smallest_value_of_a_schema(
    schema: dict[str, Any], expected: Any
) -> None:
    answer = await FakeModel().complete("x", data={}, output_schema=schema)

    assert answer["data"] == expected
