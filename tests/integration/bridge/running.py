"""A bridge with real tool servers, and ways to wait for what it does."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import anyio

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import (
    Fault,
    Returned,
    ServerState,
    ServerStatus,
    ToolOutcome,
    ToolSpec,
)

SECONDS = timedelta(seconds=1)
WITHIN = 20.0
"""The bound of every wait."""


class Recorder:
    """An observer that remembers what it is told, and can be waited for."""

    def __init__(self) -> None:
        self.told: list[tuple[ServerStatus, tuple[ToolSpec, ...]]] = []
        self._news = anyio.Event()

    async def on_catalog(self, server: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        self.told.append((server, tuple(tools)))
        self._news.set()
        self._news = anyio.Event()

    async def until(
        self, met: Callable[[ServerStatus, tuple[ToolSpec, ...]], bool]
    ) -> ServerStatus:
        """Wait until something like that has been told; forget all before it."""
        with anyio.fail_after(WITHIN):
            while True:
                for number, (status, tools) in enumerate(self.told):
                    if met(status, tools):
                        del self.told[: number + 1]
                        return status
                await self._news.wait()

    async def until_state(self, server: str, state: ServerState) -> ServerStatus:
        return await self.until(lambda status, _: (status.server, status.state) == (server, state))


def write(path: Path, servers: dict[str, Any]) -> None:
    """Write a tools file as an editor does: another one takes its place."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"mcpServers": servers}, indent=1), encoding="utf-8")
    new.replace(path)


@asynccontextmanager
async def running(
    folder: Path, servers: dict[str, Any], observer: Recorder | None = None, **more: Any
) -> AsyncGenerator[Bridge]:
    """A bridge over these servers, each ready or failed; ended on leaving."""
    path = folder / "tools.json"
    write(path, servers)
    bridge = Bridge(path, observer, **more)
    async with anyio.create_task_group() as tasks:
        await tasks.start(bridge.run)
        assert await bridge.settled(WITHIN * SECONDS)
        yield bridge
        tasks.cancel_scope.cancel()


async def ask(
    bridge: Bridge, uses: str, *, key: str = "key", within: float = 10, **arguments: Any
) -> ToolOutcome:
    """Call a tool, in a bounded time whatever happens."""
    with anyio.fail_after(within + 5):
        return await bridge.call(uses, arguments, idempotency_key=key, timeout=within * SECONDS)


async def value_of(bridge: Bridge, uses: str, **arguments: Any) -> Any:
    """What a tool returns; a fault fails the test."""
    outcome = await ask(bridge, uses, **arguments)
    assert isinstance(outcome, Returned), outcome
    return outcome.value


async def fault_of(bridge: Bridge, uses: str, *, within: float = 10, **arguments: Any) -> Fault:
    """The fault of a call; a result fails the test."""
    outcome = await ask(bridge, uses, within=within, **arguments)
    assert isinstance(outcome, Fault), outcome
    return outcome


async def eventually(met: Callable[[], bool]) -> None:
    """Wait, by looking, for what no event tells."""
    with anyio.fail_after(WITHIN):
        while not met():  # noqa: ASYNC110 - that is its purpose
            await anyio.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_bytes().rpartition(b")")[2].split()[0] != b"Z"


class Heart:
    """Beats on the event loop and remembers its longest gap, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        last = monotonic()
        while True:
            await anyio.sleep(0.01)
            self.longest, last = max(self.longest, monotonic() - last), monotonic()
