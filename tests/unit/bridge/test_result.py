"""From an answer to the outcome of a step."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import (
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from ordinaut_mcp.bridge.result import kept, outcome_of
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned

NUMBERS = compile_schema(
    {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}, field="output"
)


def texts(*said: str, is_error: bool = False) -> CallToolResult:
    content = [TextContent(type="text", text=text) for text in said]
    return CallToolResult(content=[*content], is_error=is_error)


def structured(value: Any, *said: str) -> CallToolResult:
    content = [TextContent(type="text", text=text) for text in said]
    return CallToolResult(content=[*content], structured_content=value)


def fault_kind(result: CallToolResult) -> FaultKind:
    outcome = outcome_of(result, None)
    assert isinstance(outcome, Fault)
    assert outcome.sent
    return outcome.kind


@pytest.mark.parametrize("value", [{"a": 1}, {"result": [1]}, {}, [1, 2], "text", 0, False])
def test_structured_content_is_the_value_as_it_is(value: Any) -> None:
    assert outcome_of(structured(value, "ignored"), None) == Returned(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("12", 12),
        ("true", True),
        (" \n[1]\n", [1]),
        ("plain words", "plain words"),
        ("", ""),
        ("NaN", "NaN"),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_a_single_text_is_parsed_if_it_is_json(text: str, value: Any) -> None:
    assert outcome_of(texts(text), None) == Returned(value)


def test_several_texts_are_joined_and_not_parsed() -> None:
    assert outcome_of(texts("1", "2"), None) == Returned("1\n2")


def test_an_empty_answer_is_null() -> None:
    assert outcome_of(texts(), None) == Returned(None)


def test_what_is_not_text_keeps_the_form_that_mcp_gives_it() -> None:
    image = ImageContent(type="image", data="AAAA", mime_type="image/png")
    resource = TextResourceContents(uri="file:///x", text="x")
    content = [
        TextContent(type="text", text="see"),
        image,
        EmbeddedResource(type="resource", resource=resource),
    ]
    assert outcome_of(CallToolResult(content=[*content]), None) == Returned(
        {
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                {"type": "resource", "resource": {"uri": "file:///x", "text": "x"}},
            ]
        }
    )


def test_an_error_of_the_tool_is_a_fault_with_its_text() -> None:
    assert outcome_of(texts("no such chat", is_error=True), None) == Fault(
        kind=FaultKind.TOOL_ERROR, message="no such chat", sent=True
    )
    silent = outcome_of(texts(is_error=True), None)
    assert silent == Fault(
        kind=FaultKind.TOOL_ERROR, message="the tool failed and did not say why", sent=True
    )


def test_an_error_text_is_cut_to_2_kib_and_can_be_stored() -> None:
    assert kept("ä" * 5000) == "ä" * 1022 + "…"
    assert kept("a\0b\ud800c") == "a\ufffdb?c"
    assert len(kept("x" * 2048)) == 2048


@pytest.mark.parametrize(
    "value", [{"a": "x" * 1_100_000}, {"a": [0] * 250_000}, {str(n): 0 for n in range(60_000)}]
)
def test_an_output_above_the_bounds_is_too_large(value: Any) -> None:
    assert fault_kind(structured(value)) is FaultKind.OUTPUT_TOO_LARGE


@pytest.mark.parametrize(
    "value",
    [{"a": "x\0"}, {"a": "\ud800"}, {"a": float("nan")}, {"a": 2**70}, {"a\0": 1}],
)
def test_an_output_that_no_database_takes_is_unstorable(value: Any) -> None:
    assert fault_kind(structured(value)) is FaultKind.UNSTORABLE_OUTPUT


def test_an_output_that_does_not_fit_its_schema_is_a_fault() -> None:
    assert outcome_of(structured({"n": "x"}), NUMBERS) == Fault(
        kind=FaultKind.BAD_OUTPUT, message="output.n must be number", sent=True
    )
    assert outcome_of(texts("words"), NUMBERS) == Fault(
        kind=FaultKind.BAD_OUTPUT, message="output must be object", sent=True
    )
    assert outcome_of(texts('{"n": 5}'), NUMBERS) == Returned({"n": 5})
