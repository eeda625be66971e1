"""The example tool servers run as examples/tools.json names them."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.bridge.server_config import Local
from ordinaut_mcp.bridge.tools_file import read_tools_file
from ordinaut_mcp.domain.tool import FaultKind, Returned
from tests.integration.bridge.running import ask, fault_of, running, value_of

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[3] / "examples"


@asynccontextmanager
async def with_example(name: str, folder: Path) -> AsyncGenerator[Bridge]:
    """The entry of examples/tools.json with this interpreter and whole paths."""
    file = read_tools_file(EXAMPLES / "tools.json")
    assert file.problems == ()
    how = {server.name: server.how for server in file.servers}[name]
    assert isinstance(how, Local)
    servers: dict[str, Any] = {
        name: {
            "command": sys.executable,
            "args": list(how.args),
            "cwd": str(EXAMPLES),
            "env": {"TELEGRAM_OUTBOX": str(folder / "outbox.jsonl")},
        }
    }
    async with running(folder, servers) as bridge:
        yield bridge


async def test_the_file_names_the_servers_of_the_briefing_and_an_interpreter_beside_it() -> None:
    file = read_tools_file(EXAMPLES / "tools.json")
    assert {server.name for server in file.servers} == {
        "google-calendar-mcp",
        "weather-mcp",
        "imap-mcp",
        "telegram-mcp",
    }
    assert {server.how.command for server in file.servers if isinstance(server.how, Local)} == {
        "../.venv/bin/python"
    }


async def test_the_calendar_lists_what_begins_in_the_window(tmp_path: Path) -> None:
    async with with_example("google-calendar-mcp", tmp_path) as bridge:
        uses = "google-calendar-mcp.list_events"
        monday = {"start": "2026-11-23T10:30:00+02:00", "end": "2026-11-23T12:30:00+02:00"}
        assert await value_of(bridge, uses, start=monday["start"], end=monday["end"]) == {
            "events": [
                {
                    "title": "Week planning",
                    "start": "2026-11-23T10:30:00+02:00",
                    "end": "2026-11-23T11:30:00+02:00",
                }
            ],
            "made_up": True,
        }
        fault = await fault_of(bridge, uses, start="2026-11-23", end="2026-11-24")
        assert fault.kind is FaultKind.TOOL_ERROR
        assert "has no offset" in fault.message
        assert "ISO-8601" in (await fault_of(bridge, uses, start="soon", end="later")).message
        fault = await fault_of(bridge, uses, start=monday["end"], end=monday["start"])
        assert "after start" in fault.message


async def test_the_weather_of_a_city_is_always_the_same(tmp_path: Path) -> None:
    async with with_example("weather-mcp", tmp_path) as bridge:
        first = await value_of(bridge, "weather-mcp.forecast", city="Chisinau")
        assert first["city"] == "Chisinau"
        assert first["low"] < first["temperature"] < first["high"]
        assert first == await value_of(bridge, "weather-mcp.forecast", city="Chisinau")


async def test_the_inbox_gives_as_many_as_asked(tmp_path: Path) -> None:
    async with with_example("imap-mcp", tmp_path) as bridge:
        found = await value_of(bridge, "imap-mcp.top_unread", count=2)
        assert [mail["subject"] for mail in found["messages"]] == ["Contract", "Statement"]
        assert found["unread"] == 7
        fault = await fault_of(bridge, "imap-mcp.top_unread", count=0)
        assert fault.kind is FaultKind.BAD_ARGUMENTS


async def test_a_message_is_written_once_for_each_key(tmp_path: Path) -> None:
    async with with_example("telegram-mcp", tmp_path) as bridge:
        answers: list[Any] = []
        for key in ("run_1/notify", "run_1/notify", "run_2/notify"):
            outcome = await ask(
                bridge, "telegram-mcp.send_message", key=key, chat_id=12345, text="hi"
            )
            assert isinstance(outcome, Returned)
            answers.append((outcome.value["message_id"], outcome.value["repeated"]))
    assert answers == [(1, False), (1, True), (2, False)]
    assert written_to(tmp_path / "outbox.jsonl") == [
        {"chat_id": 12345, "text": "hi", "key": "run_1/notify"},
        {"chat_id": 12345, "text": "hi", "key": "run_2/notify"},
    ]


def written_to(outbox: Path) -> list[Any]:
    return [json.loads(line) for line in outbox.read_text(encoding="utf-8").splitlines()]
