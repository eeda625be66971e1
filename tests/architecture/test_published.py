"""What the server publishes about its tools is what their functions say."""

from __future__ import annotations

import json

import pytest

from ordinaut_mcp.tools.publishing import in_json, made_anew, stored

pytestmark = pytest.mark.anyio


async def test_the_published_list_is_the_one_that_the_functions_give() -> None:
    assert stored() == in_json(await made_anew()), "run `make published`"


def test_every_tool_says_all_four_hints_and_refuses_unknown_arguments() -> None:
    hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}

    for tool in json.loads(stored()):
        assert hints <= set(tool["annotations"]), tool["name"]
        assert tool["inputSchema"]["additionalProperties"] is False, tool["name"]
        assert len(tool["description"]) > 60, tool["name"]
