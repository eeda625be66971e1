"""What steps may use: the tools of all tool servers, and the built-in ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import anyio

from ordinaut_mcp.domain.builtin import BUILTINS
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolSpec
from ordinaut_mcp.ports import CatalogStore

COMING_UP = timedelta(seconds=30)
"""How long a call waits for a tool server's first catalog."""
LOOK_EVERY = timedelta(milliseconds=150)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tools and servers at one moment."""

    servers: Mapping[str, ServerStatus]
    tools: Mapping[str, ToolSpec]

    def starting(self, servers: Collection[str]) -> Sequence[str]:
        """Those whose first catalog is still coming up."""
        return sorted(
            name
            for name in servers
            if name in self.servers and self.servers[name].state is ServerState.STARTING
        )


class CatalogService:
    """Looks up what steps may use."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store

    async def now(self) -> Catalog:
        """The catalog as it is."""
        servers, tools = await self._store.load()
        known = {tool.uses: tool for tool in tools}
        return Catalog({one.server: one for one in servers}, {**BUILTINS, **known})

    async def for_servers(self, servers: Collection[str]) -> Catalog:
        """The catalog once the named servers have had their chance to come up."""
        catalog = await self.now()
        with anyio.move_on_after(COMING_UP.total_seconds()):
            while catalog.starting(servers):
                await anyio.sleep(LOOK_EVERY.total_seconds())
                catalog = await self.now()
        return catalog

    async def search(self, *, query: str | None, server: str | None) -> Catalog:
        """The part of the catalog that fits; waits for servers that are still coming up."""
        catalog = await self.for_servers([server] if server else list((await self.now()).servers))
        wanted = {
            uses: tool
            for uses, tool in catalog.tools.items()
            if (server is None or tool.server == server) and _fits(tool, query)
        }
        return Catalog(catalog.servers, wanted)


def _fits(tool: ToolSpec, query: str | None) -> bool:
    if not query:
        return True
    text = f"{tool.uses} {tool.description}".lower()
    return all(word in text for word in query.lower().split())
