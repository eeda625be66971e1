"""The owner of one tool server's connection: it keeps it, and starts it anew when it breaks."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

import anyio
from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost

from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.catalog import Catalog, read_catalog
from ordinaut_mcp.bridge.connection import connected
from ordinaut_mcp.bridge.faults import reason_of
from ordinaut_mcp.bridge.ongoing import Ongoing
from ordinaut_mcp.bridge.place import Place
from ordinaut_mcp.bridge.pulse import Pulse
from ordinaut_mcp.bridge.question import Answer
from ordinaut_mcp.bridge.server_config import ServerConfig
from ordinaut_mcp.bridge.unattended import Unattended
from ordinaut_mcp.domain.retry import RetryPolicy
from ordinaut_mcp.domain.tool import ServerState, ServerStatus

log = logging.getLogger(__name__)

RESTARTS: Final = RetryPolicy(base=timedelta(seconds=0.5), longest=timedelta(seconds=60))
HEALTHY_SECONDS: Final = 60.0
"""Ready for so long, and the next failure counts as the first."""
WANTED_REST_SECONDS: Final = 5.0
"""The longest rest while a call waits for the server."""
FRESH_SECONDS: Final = 5.0
"""So old at most, a catalog is good enough for another look."""
LIST_WITHIN: Final = 30.0
"""Seconds to list the tools again after a change."""


@dataclass
class Link:
    """A connection that is ready for calls, from any task, until `alive` is false."""

    client: Client
    account: Account
    catalog: Catalog
    places: anyio.CapacityLimiter
    calls: list[Ongoing] = field(default_factory=list[Ongoing])
    """Those under way; once the connection has ended, those that were."""
    listed_at: float = field(default_factory=anyio.current_time)
    """When the catalog was read, on the event loop's clock."""

    @property
    def alive(self) -> bool:
        return not self.account.ended.is_set()

    @contextmanager
    def under_way(self, call: Ongoing) -> Generator[None]:
        """Count the call among those under way."""
        self.calls.append(call)
        try:
            yield
        finally:
            if self.alive:
                self.calls.remove(call)


class Session:
    """Keeps one tool server connected while `run` runs: one task enters and leaves each client."""

    def __init__(
        self,
        config: ServerConfig,
        place: Place,
        *,
        changed: Callable[[Session], None],
        answer: Answer | None = None,
    ) -> None:
        """`changed` is called, and must not block, whenever state or catalog have changed."""
        self.config = config
        self.state = ServerState.STARTING
        self.error: str | None = None
        self.catalog = Catalog()
        """What the server offered last; it outlives the connection."""
        self._place = place
        self._changed = changed
        self._answer = answer
        self._random = Random()
        self._link: Link | None = None
        self._failures = 0
        """Attempts to connect that did not become ready."""
        self._wanted = False
        self._moved = Pulse()
        self._stale = Pulse()

    @property
    def calls(self) -> list[Ongoing]:
        """Those under way."""
        return list(self._link.calls) if self._link and self._link.alive else []

    @property
    def status(self) -> ServerStatus:
        return ServerStatus(server=self.config.name, state=self.state, error=self.error)

    async def run(self) -> None:
        """Connect, stay connected, rest after a failure, again: until cancelled."""
        row = 0
        while True:
            self._wanted = False
            ready_for, why = await self._live()
            row = 1 if (ready_for or 0) >= HEALTHY_SECONDS else row + 1
            self._failures += ready_for is None
            log.log(
                logging.DEBUG if why == self.error else logging.WARNING,
                "tool server %s: %s",
                self.config.name,
                why,
            )
            self._become(ServerState.FAILED, why)
            await self._rest(row)

    async def ready(self, within: float) -> Link | str:
        """The connection, or why there is none.

        A server that rests after a failure is tried again soon; if that fails, too, nobody
        waits any longer.
        """
        failures = self._failures
        with anyio.move_on_after(within):
            while self._failures == failures:
                if self._link and self._link.alive:
                    return self._link
                self._wanted = True
                self._moved.ring()
                await self._moved.wait()
        return self.error or "it is still starting"

    async def look(self, within: float) -> ServerStatus:
        """The state, once the server has answered: its tools are listed anew, if not just done.

        A server that does not answer is told as failed here, and keeps its connection: the
        calls that are under way may still end well.
        """
        deadline = anyio.current_time() + within
        link = await self.ready(within)
        if isinstance(link, str):
            return ServerStatus(server=self.config.name, state=ServerState.FAILED, error=link)
        if anyio.current_time() - link.listed_at < FRESH_SECONDS:
            return self.status
        why = f"it did not list its tools within {within:g} s"
        with anyio.CancelScope(deadline=deadline):
            try:
                await self._list(link)
            except Exception as error:  # noqa: BLE001 - whatever one server does stays with it
                why = reason_of(error, link.account)
            else:
                return self.status
        return ServerStatus(server=self.config.name, state=ServerState.FAILED, error=why)

    async def _live(self) -> tuple[float | None, str]:
        """One connection: for how many seconds it was ready, if it ever was, and why it ended."""
        account, ready_at = Account(server=self.config.name), None
        try:
            async with connected(
                self.config, self._place, account=account, tools_changed=self._stale.ring
            ) as (client, limit):
                link = await self._linked(client, account)
                ready_at, limit.deadline = anyio.current_time(), math.inf
                self._open(link)
                await self._keep(link)
        except Exception as error:  # noqa: BLE001 - whatever one server does stays with it
            why = reason_of(error, account)
        else:
            why = account.says()
        finally:
            self._link = None
            account.ended.set()
        return None if ready_at is None else anyio.current_time() - ready_at, why

    async def _linked(self, client: Client, account: Account) -> Link:
        catalog = await read_catalog(client, self.config.name)
        link = Link(client, account, catalog, anyio.CapacityLimiter(self.config.max_concurrent))
        questions = Unattended(self.config.name, link.calls, self._answer)
        client.session.dispatch_input_request = questions.dispatch
        return link

    def _open(self, link: Link) -> None:
        self._link = link
        self._take(link.catalog)

    def _take(self, catalog: Catalog) -> None:
        is_other = catalog.specs != self.catalog.specs
        self.catalog = catalog
        self._become(ServerState.READY, "; ".join(catalog.notes) or None, is_news=is_other)

    def _become(self, state: ServerState, error: str | None, *, is_news: bool = False) -> None:
        is_news = is_news or (state, error) != (self.state, self.error)
        self.state, self.error = state, error
        self._moved.ring()
        if is_news:
            self._changed(self)

    async def _keep(self, link: Link) -> None:
        """Until the connection ends; meanwhile the catalog follows the server's changes."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._refresh, link)
            tasks.start_soon(self._listen, link.client)
            await link.account.ended.wait()
            tasks.cancel_scope.cancel()

    async def _refresh(self, link: Link) -> None:
        while True:
            await self._stale.wait()
            with anyio.fail_after(LIST_WITHIN):
                await self._list(link)

    async def _list(self, link: Link) -> None:
        link.catalog = await read_catalog(link.client, self.config.name)
        link.listed_at = anyio.current_time()
        self._take(link.catalog)

    async def _listen(self, client: Client) -> None:
        """Ask a server of 2026-07-28 to tell changes; one of before tells them unasked."""
        try:
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._stale.ring()
        except (MCPError, SubscriptionLost, ListenNotSupportedError):
            log.debug("tool server %s does not tell changes of its tools", self.config.name)

    async def _rest(self, row: int) -> None:
        rest = RESTARTS.rest_after(row, self._random).total_seconds()
        with anyio.move_on_after(rest):
            await anyio.sleep(min(rest, WANTED_REST_SECONDS))
            while not self._wanted:
                await self._moved.wait()
