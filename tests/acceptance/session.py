"""A session of the official SDK's client, driven from an ordinary test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent, Tool

from tests.acceptance.waiting import eventually

Era = Literal["auto", "legacy"]
CALL_SECONDS = 60
ENDED = {"succeeded", "failed", "canceled", "skipped"}


class Session:
    """One open session of one agent."""

    def __init__(self, portal: BlockingPortal, client: Client, log: Path) -> None:
        self._portal = portal
        self._client = client
        self._log = log

    @property
    def protocol(self) -> str:
        """The revision that both sides agreed on."""
        return self._client.protocol_version

    @property
    def log(self) -> str:
        """What the server has written to stderr."""
        return self._log.read_text(encoding="utf-8")

    def tools(self) -> Sequence[Tool]:
        """What `tools/list` answers."""
        return self._portal.call(self._client.list_tools).tools

    def result(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """The answer as it came."""
        ask = partial(
            self._client.call_tool, tool, dict(arguments), read_timeout_seconds=CALL_SECONDS
        )
        return self._portal.call(ask)

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must be good."""
        result = self.result(tool, arguments)
        assert not result.is_error, text_of(result)
        return dict(result.structured_content or {})

    def refused(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The error of a call that must be refused."""
        result = self.result(tool, arguments)
        assert result.is_error, text_of(result)
        return dict(result.structured_content or {})["error"]

    def text(self, tool: str, /, **arguments: Any) -> str:
        """The text of an answer, which must stand alone."""
        return text_of(self.result(tool, arguments))

    def ended_run(self, task: str, *, within: float = 30) -> dict[str, Any]:
        """The only run of a task, whole, as soon as it has ended."""

        def look() -> dict[str, Any] | None:
            runs = self.call("list_runs", task=task)["runs"]
            return runs[0] if runs and runs[0]["state"] in ENDED else None

        run = eventually(look, within=within, what=f"a run of {task} ends")
        [only] = self.call("list_runs", task=task)["runs"]
        assert only["id"] == run["id"]
        return self.call("get_run", run=run["id"], detail="full")["run"]


def text_of(result: CallToolResult) -> str:
    """All text of an answer."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


@contextmanager
def session_over(
    command: Sequence[str], environment: Mapping[str, str], *, era: Era, log: Path
) -> Generator[Session, None, None]:
    """Start a stdio server and open a session with it; both end with the block."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(_client(command, environment, era, log)) as client,
    ):
        yield Session(portal, client, log)


@asynccontextmanager
async def _client(
    command: Sequence[str], environment: Mapping[str, str], era: Era, log: Path
) -> AsyncGenerator[Client, None]:
    server = StdioServerParameters(
        command=command[0], args=list(command[1:]), env=dict(environment)
    )
    with log.open("w", encoding="utf-8") as errors:
        async with Client(stdio_client(server, errlog=errors), mode=era) as client:
            yield client
