"""Keeps the catalog in the database true to what the bridge finds."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import ServerStatus, ToolSpec
from ordinaut_mcp.ports import CatalogStore
from ordinaut_mcp.runtime.persistence import persisted

log = logging.getLogger(__name__)


class CatalogKeeper:
    """The bridge's observer: every change is written, and written again until it is stored."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._bridge: Bridge | None = None

    def watch(self, bridge: Bridge) -> None:
        """The bridge whose servers are the known ones."""
        self._bridge = bridge

    async def on_catalog(self, server: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """One server came up, changed, failed or went."""
        log.info("tool server %s is %s", server.server, server.state.value)
        await persisted(lambda: self._store.save(server, tools))

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Forget what the tools file no longer names; started when every named server is known."""
        statuses = self._bridge.statuses() if self._bridge else []
        await persisted(lambda: self._store.keep_only([one.server for one in statuses]))
        for status in statuses:
            tools = self._bridge.specs().values() if self._bridge else ()
            own = [tool for tool in tools if tool.server == status.server]
            await persisted(lambda status=status, own=own: self._store.save(status, own))
        task_status.started()
