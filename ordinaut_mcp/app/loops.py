"""The loops of one runtime process, put together by its roles over one pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from ordinaut_mcp.app.catalog import CatalogKeeper
from ordinaut_mcp.app.outside import allowance_of, model_of
from ordinaut_mcp.app.relay import MakeRelay
from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.rings import CANCELS, SLOTS, WORK
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.runtime.clockwork import Clockwork, Ring
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.executor import Executor
from ordinaut_mcp.runtime.heartbeat import Heartbeat
from ordinaut_mcp.runtime.janitor import janitor
from ordinaut_mcp.runtime.leases import Leases
from ordinaut_mcp.runtime.listener import Listener
from ordinaut_mcp.runtime.reaper import Reaper
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.runtime.steps.catalog import builtins
from ordinaut_mcp.runtime.supervisor import Loops
from ordinaut_mcp.runtime.tools import PipelineTools
from ordinaut_mcp.runtime.worker import Worker
from ordinaut_mcp.store.bell import PostgresBell, listening
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.catalog import PostgresCatalog
from ordinaut_mcp.store.events import PostgresEvents
from ordinaut_mcp.store.heartbeat import PostgresLeaseKeeper
from ordinaut_mcp.store.messages import PostgresMessages
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.retention import PostgresRetention
from ordinaut_mcp.store.slots import PostgresSlots
from ordinaut_mcp.web.client import WebClient

REAP_AT_LEAST = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every loop of one process is made of."""

    settings: Settings
    database_url: str
    roles: Sequence[str]
    process: ProcessId
    pool: Pool
    clockwork: Clockwork
    make_relay: MakeRelay | None = None

    def loops(self, more: Sequence[Duty] = ()) -> Loops:
        """The loops of these roles; they wake one another where that saves a wait."""
        relay = (
            self.make_relay(self.process, self.pool, self.clockwork) if self.make_relay else None
        )
        ring_relay = relay.doorbell.ring if relay else _nobody
        bridge, keeper = self._bridge()
        worker = self._worker(bridge, ring_relay) if "worker" in self.roles else None
        ring_worker = worker.doorbell.ring if worker else _nobody
        scheduler = self._scheduler(ring_worker) if "scheduler" in self.roles else None
        rings = {
            WORK: ring_worker,
            SLOTS: scheduler.doorbell.ring if scheduler else _nobody,
            CANCELS: worker.cancel_bell.ring if worker else _nobody,
        }
        heartbeat = self._heartbeat(worker)
        before = (heartbeat.run, bridge.run, keeper.run) if worker else (heartbeat.run,)
        return Loops(
            before=(*before, relay.run) if relay else before,
            scheduler=scheduler,
            worker=worker,
            duties=[*self._reaper(ring_worker), *self._janitor(), *more],
            listener=Listener(lambda: listening(self.database_url), rings),
        )

    def _worker(self, bridge: Bridge, on_settled: Ring) -> Worker:
        queue = PostgresQueue(
            self.pool, failures_allowed=self.settings.pause_after_failures or None
        )
        own = builtins(
            model_of(self.settings),
            messages=PostgresMessages(self.pool),
            events=PostgresEvents(self.pool),
            web=WebClient(allowance_of(self.settings)),
        )
        tools = PipelineTools(own, bridge, bridge.specs)
        return Worker(
            self.process,
            queue,
            Executor(queue, tools, Random()).begin,
            self.clockwork,
            slots=self.settings.worker_slots,
            lease_for=self.settings.lease,
            cancels=PostgresCancels(self.pool),
            on_settled=on_settled,
        )

    def _scheduler(self, on_runs: Ring) -> Scheduler:
        bell = PostgresBell(self.pool)
        return Scheduler(PostgresSlots(self.pool), self.clockwork, on_runs=on_runs, bell=bell)

    def _heartbeat(self, worker: Worker | None) -> Heartbeat:
        return Heartbeat(
            self.process,
            PostgresLeaseKeeper(self.database_url),
            worker.leases if worker else Leases(),
            lease_for=self.settings.lease,
        )

    def _reaper(self, on_returned: Ring) -> Sequence[Duty]:
        if "reaper" not in self.roles:
            return ()
        queue, bell = PostgresQueue(self.pool), PostgresBell(self.pool)
        every = max(REAP_AT_LEAST, self.settings.lease / 6)
        return (Reaper(queue, every=every, on_returned=on_returned, bell=bell).duty(),)

    def _janitor(self) -> Sequence[Duty]:
        if "janitor" not in self.roles:
            return ()
        keep_runs, keep_events = self.settings.retention, self.settings.event_retention
        store = PostgresRetention(self.pool)
        return (janitor(store, keep_runs=keep_runs, keep_events=keep_events),)

    def _bridge(self) -> tuple[Bridge, CatalogKeeper]:
        keeper = CatalogKeeper(PostgresCatalog(self.pool, found_by=self.process))
        folder = self.settings.home / "tool-servers"
        bridge = Bridge(self.settings.tools_path, keeper, private_folder=folder)
        keeper.watch(bridge)
        return bridge, keeper


def _nobody() -> None:
    """There is no such loop in this process; another's doorbell is rung by its own listener."""
