"""The desk of the stdio server: the local user's agent, and its way to the runtime."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import anyio
from anyio import to_thread

from ordinaut_mcp import __version__
from ordinaut_mcp.app import local
from ordinaut_mcp.config import Settings
from ordinaut_mcp.errors import OrdinautError, Unavailable
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services

log = logging.getLogger(__name__)

WAIT = timedelta(seconds=30)
"""How long a call waits for a runtime that is still coming up."""


class LocalDesk:
    """Finds the runtime, starts it when none answers, and keeps one pool to its database."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._lock = anyio.Lock()
        self._open: _Open | None = None

    @property
    def caller(self) -> Caller:
        """The local user's agent."""
        return Caller(self._settings.agent)

    @property
    def default_timezone(self) -> str:
        """The setting, or the machine's zone."""
        return self._settings.zone_name

    async def services(self) -> Services:
        """The services, once the runtime is up."""
        found: Services | None = None
        with anyio.move_on_after(WAIT.total_seconds()):
            async with self._lock:
                found = (await self._ready()).services
        if found is None:
            raise Unavailable(
                "The runtime is still starting; nothing was stored.",
                hint="Call again in a moment; `ordinaut-mcp status` shows how it is doing.",
                retry_after=5,
            )
        return found

    async def wake(self) -> None:
        """Have the runtime come up before the first call needs it."""
        try:
            if self._settings.database_url is None:
                await to_thread.run_sync(local.start, self._settings, abandon_on_cancel=True)
        except OrdinautError as error:
            log.warning("the runtime was not started: %s", error.message)

    async def _ready(self) -> _Open:
        url = self._settings.database_url
        if url and (remote := await self._reach(url)) and await remote.somebody_works():
            return remote
        runtime = local.found(self._settings)
        if runtime is None or runtime.state != "ready":
            runtime = await to_thread.run_sync(
                local.find_or_start, self._settings, abandon_on_cancel=True
            )
        if runtime.version != __version__:
            log.warning(
                "runtime %s is running, this is %s: ordinaut-mcp down, then up",
                runtime.version,
                __version__,
            )
        return await self._reach(runtime.database_url or "")

    async def _reach(self, url: str) -> _Open:
        if self._open is None or self._open.url != url:
            from ordinaut_mcp.app.services import services_over
            from ordinaut_mcp.store.pool import new_pool

            pool = await self._stack.enter_async_context(new_pool(url, largest=4))
            self._open = _Open(url, services_over(pool, self._settings))
        return self._open


@dataclass(frozen=True, slots=True)
class _Open:
    """The services over the database that is in use."""

    url: str
    services: Services

    async def somebody_works(self) -> bool:
        """Whether live runtime processes, on whatever host, serve this database.

        Raises:
            Unavailable: it does not answer, so that a runtime could not serve it either.
        """
        try:
            return (await self.services.status.get(Caller("local"))).healthy
        except Unavailable as error:
            if error.retry_after is None:  # it answers, and the runtime will make its schema
                return False
            raise


@asynccontextmanager
async def local_desk(settings: Settings) -> AsyncGenerator[LocalDesk, None]:
    """A desk for the length of a session; the runtime is woken at once and not waited for."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        desk = LocalDesk(settings, stack)
        tasks.start_soon(desk.wake)
        yield desk
        tasks.cancel_scope.cancel()
