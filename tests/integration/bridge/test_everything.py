"""The reference server of MCP, from npm, over stdio and over streamable HTTP (2025-11-25)."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.acceptance.inspector import node
from tests.integration.bridge.running import (
    WITHIN,
    ask,
    eventually,
    fault_of,
    running,
    value_of,
)
from tests.servers.npm import everything

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("over", ["stdio", "http"])


@contextmanager
def listening(script: Path) -> Generator[str]:
    """The reference server on a free port of the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(node()), str(script), "streamableHttp"],
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def with_everything(folder: Path, over: str, **more: Any) -> AsyncGenerator[Bridge]:
    """A bridge that has become ready with the reference server as `every`."""
    script = everything()
    if over == "stdio":
        servers: dict[str, Any] = {"every": {"command": str(node()), "args": [str(script)]}}
        async with running(folder, servers, **more) as bridge:
            yield bridge
        return
    with listening(script) as url:
        async with running(folder, {"every": {"url": url}}, **more) as bridge:
            with anyio.fail_after(WITHIN):
                while (await bridge.preflight())[0].state is not ServerState.READY:  # noqa: ASYNC110 - no event tells it
                    await anyio.sleep(0.05)
            yield bridge


@BOTH
async def test_it_is_listed_and_called(tmp_path: Path, over: str) -> None:
    async with with_everything(tmp_path, over) as bridge:
        assert bridge.specs()["every.get-structured-content"].output_schema is not None
        assert await value_of(bridge, "every.echo", message="hi") == "Echo: hi"
        said = await value_of(bridge, "every.get-sum", a=1, b=2)
        assert said == "The sum of 1 and 2 is 3."
        city = {"location": "New York"}
        weather = await value_of(bridge, "every.get-structured-content", **city)
        assert weather == {"temperature": 33, "conditions": "Cloudy", "humidity": 82}
        image = await value_of(bridge, "every.get-tiny-image")
        assert image["content"][1]["mimeType"] == "image/png"
        fault = await fault_of(bridge, "every.get-sum", a="1", b=2)
        assert (fault.kind, fault.sent) == (FaultKind.BAD_ARGUMENTS, False)


@BOTH
async def test_its_question_fails_the_step_and_an_answer_lets_it_go_on(
    tmp_path: Path, over: str
) -> None:
    answers: list[dict[str, Any]] = []

    async def answer(_: object) -> dict[str, Any] | None:
        return answers.pop() if answers else None

    uses = "every.trigger-elicitation-request"
    async with with_everything(tmp_path, over, answer=answer) as bridge:
        fault = await fault_of(bridge, uses)
        assert (fault.kind, fault.sent) == (FaultKind.INPUT_REQUIRED, True)
        assert fault.message.startswith(
            f'{uses} asks a person: "Please provide inputs for the following fields:" (name, check'
        )
        answers.append({"action": "accept", "content": {"name": "Tess"}})
        assert "Tess" in str(await value_of(bridge, uses))


@BOTH
async def test_its_progress_is_kept_and_a_time_out_tells_it(tmp_path: Path, over: str) -> None:
    slow = {"duration": 20, "steps": 100}
    async with with_everything(tmp_path, over) as bridge, anyio.create_task_group() as calls:
        uses = "every.trigger-long-running-operation"
        calls.start_soon(partial(ask, bridge, uses, key="run_1/a", **slow))
        await eventually(lambda: "run_1/a" in bridge.progress())
        assert bridge.progress()["run_1/a"].total == 100
        fault = await fault_of(bridge, uses, within=1.5, **slow)
        assert fault.kind is FaultKind.TIMEOUT
        assert fault.message.startswith("no answer within 1.5 s; its last progress: ")
        assert await value_of(bridge, "every.echo", message="hi") == "Echo: hi"
        calls.cancel_scope.cancel()


async def test_secrets_of_ours_are_not_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDINAUT_DATABASE_URL", "postgres://secret")
    async with with_everything(tmp_path, "stdio") as bridge:
        seen = await value_of(bridge, "every.get-env")
        assert "PATH" in seen
        assert "ORDINAUT_DATABASE_URL" not in seen
