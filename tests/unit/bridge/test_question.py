"""A tool's question as a clause of a message."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import types

from ordinaut_mcp.bridge.ongoing import Progress
from ordinaut_mcp.bridge.question import LONGEST_QUESTION, says_of


def elicitation(message: str, schema: dict[str, Any]) -> types.ElicitRequest:
    params = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.ElicitRequest(params=params)


QUESTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("Sure?", {"type": "object"}, 'asks a person: "Sure?"'),
    ("a\n b", {"properties": {"x": {}, "y": {}}}, 'asks a person: "a b" (x, y)'),
    ("x" * 600, {}, f'asks a person: "{"x" * (LONGEST_QUESTION - 1)}…"'),
    (
        "many",
        {"properties": {f"f{number}": {} for number in range(20)}},
        'asks a person: "many" (f0, f1, f2, f3, f4, f5, f6, f7, f8, f9)',
    ),
]


@pytest.mark.parametrize(("message", "schema", "said"), QUESTIONS)
def test_a_question_is_told_with_its_fields_and_in_bounds(
    message: str, schema: dict[str, Any], said: str
) -> None:
    assert says_of(elicitation(message, schema)) == said


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(done=0.5), "0.5"),
        (Progress(done=3, total=10), "3 of 10"),
        (Progress(done=3, total=10, message="copying"), "3 of 10: copying"),
    ],
)
def test_progress_says_what_it_knows(progress: Progress, said: str) -> None:
    assert progress.says() == said
