"""The digest of a tool: what a task relies on changes it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client
from mcp.server import Server
from mcp.types import ListToolsResult, Tool, ToolAnnotations

from ordinaut_mcp.bridge.catalog import read_catalog

pytestmark = pytest.mark.anyio

TOOL: dict[str, Any] = {
    "name": "t",
    "description": "Does it.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
    "output_schema": {"type": "object"},
    "annotations": ToolAnnotations(read_only_hint=True),
}


async def digest_of(**changed: Any) -> str:
    async def list_tools(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(**TOOL | changed)])

    async with Client(Server("s", on_list_tools=list_tools), cache=None) as client:
        return (await read_catalog(client, "s")).specs[0].digest


@pytest.mark.parametrize(
    "changed",
    [
        {"input_schema": {"type": "object"}},
        {"output_schema": {"type": "object", "required": ["n"]}},
        {"output_schema": None},
        {"annotations": ToolAnnotations(read_only_hint=False)},
        {"annotations": ToolAnnotations(read_only_hint=True, idempotent_hint=True)},
        {"annotations": None},
        {"name": "u"},
    ],
)
async def test_another_schema_hint_or_name_is_another_digest(changed: dict[str, Any]) -> None:
    assert await digest_of(**changed) != await digest_of()


@pytest.mark.parametrize(
    "changed",
    [
        {"description": "Does it well."},
        {"description": None},
        {"title": "T"},
        {"annotations": ToolAnnotations(read_only_hint=True, title="T")},
        {"annotations": ToolAnnotations(read_only_hint=True, destructive_hint=True)},
        {"input_schema": {"properties": {"a": {"type": "string"}}, "type": "object"}},
    ],
)
async def test_other_words_defaults_and_orders_are_the_same_digest(changed: dict[str, Any]) -> None:
    assert await digest_of(**changed) == await digest_of()
