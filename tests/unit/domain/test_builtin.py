"""The built-in tools: one list, checked against the language and against what carries them out."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.builtin import BUILTINS, GROUPS, NOT_YET
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.runtime.steps.catalog import COMPUTING, RAW, builtins
from tests.unit.runtime.letters import MemoryEvents, MemoryMessages

PROMISED = {
    "http.request",
    "llm.plan",
    "llm.complete",
    "inbox.send",
    "notify.send",
    "events.publish",
    "approval.request",
    "wait.for",
    "wait.until",
    "wait.event",
    "task.schedule",
    "task.run",
    "agent.run",
    "value.set",
    "value.check",
}


def test_each_promised_tool_is_built_or_said_to_come() -> None:
    assert set(BUILTINS) | set(NOT_YET) == PROMISED
    assert not set(BUILTINS) & set(NOT_YET)


def test_the_names_of_groups_are_ours() -> None:
    assert {uses.partition(".")[0] for uses in PROMISED} == GROUPS


def test_each_built_in_is_carried_out_and_nothing_else_is() -> None:
    carried_out = builtins(None, messages=MemoryMessages(), events=MemoryEvents())
    assert set(carried_out) | set(COMPUTING) == set(BUILTINS)
    assert {uses for uses, _ in RAW} <= set(BUILTINS)


@pytest.mark.parametrize("uses", sorted(BUILTINS))
def test_its_schemas_are_schemas_and_it_explains_itself(uses: str) -> None:
    tool = BUILTINS[uses]

    compile_schema(dict(tool.input_schema), field="input_schema")
    if tool.output_schema is not None:
        compile_schema(dict(tool.output_schema), field="output_schema")
    assert tool.uses == uses
    assert len(tool.description) > 20


@pytest.mark.parametrize("uses", sorted(set(BUILTINS) - {"http.request"}))
def test_a_crash_in_its_middle_is_repeated_without_asking(uses: str) -> None:
    assert BUILTINS[uses].hints.idempotent


def test_only_the_model_takes_arguments_of_any_name() -> None:
    open_ended = {
        uses for uses, tool in BUILTINS.items() if tool.input_schema["additionalProperties"]
    }

    assert open_ended == {"llm.plan", "llm.complete"}
