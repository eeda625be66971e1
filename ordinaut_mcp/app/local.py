"""The one local runtime of a home: in the foreground of its own process, or found and started."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import anyio
from anyio import to_thread

from ordinaut_mcp import __version__
from ordinaut_mcp.config import Settings, load_settings, pin_environment, process_environment
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo, clear_info, read_info, write_info
from ordinaut_mcp.embedded.launcher import claim_runtime, ensure_runtime, wait_ready
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.valkey import EmbeddedValkey

log = logging.getLogger(__name__)

WATCH_SERVERS = timedelta(seconds=2)


def find_or_start(settings: Settings, *, seconds: float = 60.0) -> RuntimeInfo:
    """The local runtime, started when none answers; waits until it is ready.

    Raises:
        Unavailable: it did not come up, with the end of its log.
    """
    start(settings)
    return wait_ready(Home(settings.home), seconds=seconds)


def start(settings: Settings) -> None:
    """Have a local runtime come up, and do not wait for it; an old one is left alone."""
    # What the first starter gave holds for every later one, so that tool servers are still found.
    pinned = {**process_environment(), **settings.environment}
    environment = {**pinned, "ORDINAUT_HOME": str(settings.home)}
    if settings.tools_file is not None:
        # The runtime lives in its home: a path that was relative here is another one there.
        environment["ORDINAUT_TOOLS_FILE"] = str(settings.tools_file)
    command = [sys.executable, "-m", "ordinaut_mcp", "up", "--foreground"]
    ensure_runtime(Home(settings.home), command=command, environment=environment)


def found(settings: Settings) -> RuntimeInfo | None:
    """The local runtime that lives now."""
    return read_info(Home(settings.home))


def run_in_foreground(settings: Settings) -> bool:
    """Be the local runtime of this home until told to stop; False when there is one already."""
    home = Home(settings.home)
    lock = claim_runtime(home)
    if lock is None:
        return False
    with lock:
        settings = load_settings(settings.home)
        pin_environment(settings)
        _live(home, settings)
    return True


def _live(home: Home, settings: Settings) -> None:
    from ordinaut_mcp.app.process import ROLES
    from ordinaut_mcp.domain.zone import TZDATA_VERSION
    from ordinaut_mcp.store.migrate import migrate

    info = RuntimeInfo.of_this_process(
        home, version=__version__, roles=ROLES, tzdata=TZDATA_VERSION
    )
    write_info(home, info)
    try:
        with _servers(home, settings) as servers:
            info = replace(info, database_url=servers.database_url, redis_url=servers.redis_url)
            for done in migrate(servers.database_url):
                log.info("migration: %s", done)
            anyio.run(_serve, home, settings, servers, info)
    finally:
        clear_info(home, info)


class Servers:
    """The PostgreSQL and Valkey of this runtime: its own, or those that the settings name."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._postgres = None if settings.database_url else EmbeddedPostgres(home)
        self._valkey = None if settings.redis_url else EmbeddedValkey(home)
        self.database_url = settings.database_url or ""
        self.redis_url = settings.redis_url

    def start(self) -> None:
        """Start what is ours and does not run; what runs already is adopted."""
        if self._valkey is not None:
            self.redis_url = self._valkey.start()
        if self._postgres is not None:
            self.database_url = self._postgres.start()

    def stop(self) -> None:
        """Stop what is ours."""
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()

    async def mend(self) -> None:
        """Start again what died; the loops wait for it by themselves."""
        for server in (self._valkey, self._postgres):
            if server is not None and not await to_thread.run_sync(server.running):
                log.warning("%s died and is started again", type(server).__name__)
                await to_thread.run_sync(server.start)


@contextmanager
def _servers(home: Home, settings: Settings) -> Generator[Servers, None, None]:
    servers = Servers(home, settings)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


async def _serve(home: Home, settings: Settings, servers: Servers, info: RuntimeInfo) -> None:
    from ordinaut_mcp.app.process import ROLES, RuntimeProcess, run_until_told
    from ordinaut_mcp.runtime.duty import Duty

    # Where no Valkey comes along, events wait in the outbox.
    roles = [role for role in ROLES if role != "relay" or servers.redis_url]
    process = RuntimeProcess(settings, servers.database_url, roles, redis_url=servers.redis_url)
    process.also(Duty("servers", servers.mend, every=WATCH_SERVERS))

    def ready() -> None:
        write_info(home, info.becoming("ready"))
        log.info("ready", extra={"home": str(home.path), "version": __version__})

    def stopping() -> None:
        write_info(home, info.becoming("stopping"))
        log.info("stopping: runs under way may finish")

    await run_until_told(process, on_ready=ready, on_stopping=stopping)
