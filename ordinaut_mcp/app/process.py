"""One runtime process: its roles become loops over one pool."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import anyio
from anyio.abc import TaskGroup

from ordinaut_mcp import __version__
from ordinaut_mcp.app.catalog import CatalogKeeper
from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.rings import CANCELS, SLOTS, WORK
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import InvalidInput, NotAvailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.executor import Executor
from ordinaut_mcp.runtime.listener import Listener
from ordinaut_mcp.runtime.reaper import reaper
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.runtime.steps.catalog import builtins
from ordinaut_mcp.runtime.steps.llm import FakeModel
from ordinaut_mcp.runtime.supervisor import Loops, Supervisor, registered
from ordinaut_mcp.runtime.tools import PipelineTools
from ordinaut_mcp.runtime.worker import Worker
from ordinaut_mcp.store.bell import PostgresBell, listening
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.catalog import PostgresCatalog
from ordinaut_mcp.store.pool import Pool, new_pool
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.slots import PostgresSlots

ROLES = ("scheduler", "worker", "reaper")
NOT_YET = ("relay", "consumer", "janitor", "http")
BEAT = timedelta(seconds=5)
DAY = timedelta(days=1)
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

    def __init__(self, settings: Settings, database_url: str, roles: Sequence[str]) -> None:
        self._settings = settings
        self._database_url = database_url
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
        async with new_pool(self._database_url, largest=min(largest, 40)) as pool:
            processes = PostgresProcesses(pool)
            process = await registered(
                processes, roles=self._roles, version=__version__, tzdata=TZDATA_VERSION
            )
            clockwork = Clockwork()
            loops = self._loops(process, pool, clockwork)
            supervisor = Supervisor(process, processes, clockwork, loops)
            async with anyio.create_task_group() as whole:
                await whole.start(supervisor.run)
                try:
                    yield supervisor
                finally:
                    supervisor.stop()

    def _loops(self, process: int, pool: Pool, clockwork: Clockwork) -> Loops:
        from ordinaut_mcp.domain.run import ProcessId

        queue, processes = PostgresQueue(pool), PostgresProcesses(pool)
        bridge, keeper = self._bridge(pool)
        worker = None
        if "worker" in self._roles:
            model = FakeModel() if self._settings.llm_provider == "fake" else None
            tools = PipelineTools(builtins(model), bridge, bridge.specs)
            worker = Worker(
                ProcessId(process),
                queue,
                Executor(queue, tools, Random()).execute,
                clockwork,
                slots=self._settings.worker_slots,
                lease_for=self._settings.lease,
                cancels=PostgresCancels(pool),
            )
        ring_worker = worker.doorbell.ring if worker else _nobody
        scheduler = (
            Scheduler(PostgresSlots(pool), clockwork, on_runs=ring_worker, bell=PostgresBell(pool))
            if "scheduler" in self._roles
            else None
        )
        ring_scheduler = scheduler.doorbell.ring if scheduler else _nobody
        duties = [Duty("beat", lambda: processes.beat(ProcessId(process)), every=BEAT)]
        if "reaper" in self._roles:
            every = max(timedelta(seconds=0.5), self._settings.lease / 6)
            duties.append(reaper(queue, every=every, on_returned=ring_worker))
            duties.append(Duty("partitions", processes.keep_partitions, every=DAY))
        rings = {
            WORK: ring_worker,
            SLOTS: ring_scheduler,
            CANCELS: worker.cancel_bell.ring if worker else _nobody,
        }
        return Loops(
            before=(bridge.run, keeper.run) if worker else (),
            scheduler=scheduler,
            worker=worker,
            duties=[*duties, *self._more],
            listener=Listener(lambda: listening(self._database_url), rings),
        )

    def _bridge(self, pool: Pool) -> tuple[Bridge, CatalogKeeper]:
        keeper = CatalogKeeper(PostgresCatalog(pool))
        bridge = Bridge(self._settings.tools_path, keeper)
        keeper.watch(bridge)
        return bridge, keeper


async def until_told(supervisor: Supervisor, *, task_group: TaskGroup | None = None) -> None:
    """Wait for SIGTERM or SIGINT, then let the supervisor stop."""
    del task_group
    if sys.platform == "win32":
        await anyio.sleep_forever()
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            supervisor.stop()
            return


def _nobody() -> None:
    """There is no such loop in this process; another's doorbell is rung by its own listener."""
