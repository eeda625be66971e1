"""One runtime process: its roles become loops over one pool."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from anyio.abc import TaskStatus

from ordinaut_mcp import __version__
from ordinaut_mcp.app.loops import Workshop
from ordinaut_mcp.app.relay import relay_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import InvalidInput, NotAvailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.persistence import persisted
from ordinaut_mcp.runtime.supervisor import Supervisor, registered
from ordinaut_mcp.store.pool import new_pool
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.retention import PostgresRetention

ROLES = ("scheduler", "worker", "reaper", "janitor", "relay")
NOT_YET = ("consumer", "http")
CATALOG_WITHIN = timedelta(seconds=20)


def checked_roles(asked: Sequence[str]) -> Sequence[str]:
    """The roles, each known and built.

    Raises:
        InvalidInput, NotAvailable: the role, and which there are.
    """
    if not asked:
        raise InvalidInput("There is no role to play.", field="roles", allowed=ROLES)
    for role in asked:
        if role in NOT_YET:
            raise NotAvailable(
                f"The role '{role}' is not available in this version.", field="roles", allowed=ROLES
            )
        if role not in ROLES:
            raise InvalidInput(f"There is no role '{role}'.", field="roles", allowed=ROLES)
    return tuple(asked)


class RuntimeProcess:
    """Builds the loops for some roles over one database, and runs them until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        roles: Sequence[str],
        *,
        redis_url: str | None = None,
    ) -> None:
        self._settings = settings
        self._database_url = database_url
        self._redis_url = redis_url or settings.redis_url
        self._roles = roles
        self._more: list[Duty] = []

    def also(self, duty: Duty) -> None:
        """Have one more duty."""
        self._more.append(duty)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Supervisor, None]:
        """Run inside this block; left when all loops have ended."""
        # Each run under way writes its journal; the loops beside them need connections, too.
        largest = self._settings.worker_slots + 6
        async with (
            relay_over(self._redis_url, self._roles) as make_relay,
            new_pool(self._database_url, largest=min(largest, 40)) as pool,
        ):
            processes = PostgresProcesses(pool)
            process = await registered(
                processes, roles=self._roles, version=__version__, tzdata=TZDATA_VERSION
            )
            # Whatever its roles: what it writes must find its partitions from the first moment.
            await persisted(PostgresRetention(pool).keep_partitions)
            clockwork = Clockwork()
            workshop = Workshop(
                settings=self._settings,
                database_url=self._database_url,
                roles=self._roles,
                process=process,
                pool=pool,
                clockwork=clockwork,
                make_relay=make_relay,
            )
            loops = workshop.loops(self._more)
            supervisor = Supervisor(process, processes, clockwork, loops)
            async with anyio.create_task_group() as whole:
                await whole.start(supervisor.run)
                try:
                    yield supervisor
                finally:
                    supervisor.stop()


async def run_until_told(
    process: RuntimeProcess,
    *,
    on_ready: Callable[[], None],
    on_stopping: Callable[[], None] | None = None,
) -> None:
    """Run the process until SIGTERM or SIGINT, however early that comes."""
    is_ready = False
    stop = anyio.Event()

    async def listen(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for _ in signals:
                stop.set()
                if not is_ready:
                    whole.cancel_scope.cancel()

    async with anyio.create_task_group() as whole:
        if sys.platform != "win32":
            await whole.start(listen)
        async with process.running() as supervisor:
            is_ready = True
            on_ready()
            await stop.wait()
            if on_stopping is not None:
                on_stopping()
            supervisor.stop()
        whole.cancel_scope.cancel()
