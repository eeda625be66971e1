"""The official Inspector lists and calls the tools over stdio."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.inspector import Inspector, installed_script
from tests.acceptance.product import Product
from tests.acceptance.session import Session
from tests.acceptance.tasks import task


@pytest.fixture(scope="module")
def inspector(product: Product) -> Inspector:
    return Inspector(installed_script(), product.environment(agent="inspector"))


def test_it_lists_the_tools_and_finds_no_schema_error(
    inspector: Inspector, session: Session
) -> None:
    seen = inspector.ask("tools/list", "--strict")
    assert seen.code == 0, seen.err
    names = [tool["name"] for tool in seen.result["tools"]]
    assert names == [tool.name for tool in session.tools()]


def test_it_calls_a_tool_and_gets_a_valid_answer(inspector: Inspector, key: str) -> None:
    asked = json.dumps(task(key=key))
    words = ("--tool-name", "schedule_task", "--tool-args-json", asked)
    seen = inspector.ask("tools/call", *words)
    assert seen.code == 0, seen.err
    assert seen.result["structuredContent"]["task"]["key"] == key
    assert seen.result["structuredContent"]["task"]["owner"] == "inspector"


def test_a_tools_error_reaches_it_whole(inspector: Inspector) -> None:
    # It holds structured content to the published output schema, in errors too.
    seen = inspector.ask("tools/call", "--tool-name", "get_task", "--tool-arg", "task=nobody")
    assert seen.code == 5, seen.err
    assert seen.result["structuredContent"]["error"]["code"] == "not_found"
