"""One tool server, tried out: started, asked for its tools, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolSpec
from ordinaut_mcp.errors import NotFound

WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Probed:
    """What a tool server showed."""

    status: ServerStatus
    tools: Sequence[ToolSpec]

    @property
    def is_ready(self) -> bool:
        """Whether its tools can be called."""
        return self.status.state is ServerState.READY


async def probe(tools_file: Path, name: str) -> Probed:
    """Start the tools file's servers, wait for this one, and stop them again.

    Raises:
        NotFound: the tools file has no such server.
    """
    found = (await probe_all(tools_file)).get(name)
    if found is None:
        raise NotFound(
            f"There is no tool server '{name}' in {tools_file}.",
            field="name",
            hint="`ordinaut-mcp tools list` shows them.",
        )
    return found


async def probe_all(tools_file: Path) -> dict[str, Probed]:
    """Every server of the tools file, tried out at once."""
    bridge = Bridge(tools_file)
    found: dict[str, Probed] = {}
    async with anyio.create_task_group() as tasks:
        await tasks.start(bridge.run)
        await bridge.settled(WITHIN)
        specs = bridge.specs().values()
        for status in bridge.statuses():
            own = [tool for tool in specs if tool.server == status.server]
            found[status.server] = Probed(status, own)
        tasks.cancel_scope.cancel()
    return found
