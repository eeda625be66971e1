"""What the bridge relies on in the installed SDK: an upgrade that changes it fails here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from mcp import Client
from mcp.client import ClientSession
from mcp.server import Server
from mcp.types import CallToolResult, ListToolsResult, Tool

pytestmark = pytest.mark.anyio


async def list_tools(*_: Any) -> ListToolsResult:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tool = Tool(name="t", input_schema={"type": "object"}, output_schema=schema)
    return ListToolsResult(tools=[tool])


async def call_tool(*_: Any) -> CallToolResult:
    return CallToolResult(content=[], structured_content={"n": "no integer"})


async def accept(name: str, result: CallToolResult) -> None:
    del name, result


async def test_the_output_check_of_the_client_is_a_method_that_can_be_replaced() -> None:
    parameters = inspect.signature(ClientSession.validate_tool_result).parameters
    assert list(parameters) == ["self", "name", "result"]
    assert inspect.iscoroutinefunction(ClientSession.validate_tool_result)

    server = Server("s", on_list_tools=list_tools, on_call_tool=call_tool)
    async with Client(server, cache=None) as client:
        with pytest.raises(RuntimeError, match="Invalid structured content"):
            await client.call_tool("t", {})
        client.session.validate_tool_result = accept
        assert (await client.call_tool("t", {})).structured_content == {"n": "no integer"}
