"""The relay: carries the outbox to the spine, and fills the spine again when Redis lost it."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

import anyio
from anyio import CapacityLimiter
from anyio.abc import TaskStatus

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import Outbox, Spine
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.doorbell import Doorbell
from ordinaut_mcp.runtime.persistence import persisted
from ordinaut_mcp.runtime.relay_shard import HoldLost, Progress, ShardRelay, SpineAway

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=6)
"""After so long another relay publishes what one that died had held."""
SWEEP = timedelta(milliseconds=500)
"""Without a ring an event waits at most so long."""
AFTER_TROUBLE = timedelta(milliseconds=100)
LONGEST_REST = timedelta(seconds=5)
NO_REST = timedelta(0)
LAST_WORDS = timedelta(seconds=2)
AT_ONCE = 3
"""Shards that are published side by side: while PostgreSQL and Redis work on one, we on another."""


class Relay:
    """Publishes the shards that it holds. Any number of relays may run on one database."""

    def __init__(
        self,
        process: ProcessId,
        outbox: Outbox,
        spine: Spine,
        clockwork: Clockwork,
        *,
        lease_for: timedelta = LEASE,
    ) -> None:
        self._process = process
        self._outbox = outbox
        self._spine = spine
        self._clockwork = clockwork
        self._keep_every = lease_for.total_seconds() / 3
        self._keep_at = 0.0
        self._shards: dict[int, ShardRelay] = {}
        self._at_once = CapacityLimiter(AT_ONCE)
        self._rest = NO_REST
        self._said = ""
        self.doorbell = Doorbell()
        """Ring it after a commit that told something; sweeping covers every ring that is missed."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Publish until cancelled; then let others publish what was held."""
        self._clockwork.every(SWEEP, self.doorbell.ring, name="relay")
        task_status.started()
        try:
            deployment = await persisted(self._outbox.deployment)
            while True:
                await self._round(deployment)
        finally:
            with anyio.move_on_after(LAST_WORDS.total_seconds(), shield=True):
                await self._let_go()

    async def _round(self, deployment: str) -> None:
        """Publish all that waits; then wait for more, or for the end of a trouble."""
        try:
            await self._keep(deployment)
            more = await self._publish()
        except SpineAway as trouble:
            await self._bear("no events are published, and they wait in the outbox: %s", trouble)
        except Unavailable as trouble:
            await self._bear("no events are looked for: %s", trouble)
        else:
            if self._said:
                log.info("events are published again")
                self._said, self._rest = "", NO_REST
            if not more:
                await self.doorbell.wait(SWEEP * 2)

    async def _bear(self, message: str, trouble: Exception) -> None:
        """Say so once, let another relay try that may be better off, and wait longer each time."""
        if message != self._said:
            log.warning(message, trouble)
            self._said = message
        await self._let_go()
        self._rest = min(max(self._rest * 2, AFTER_TROUBLE), LONGEST_REST)
        await anyio.sleep(self._rest.total_seconds())

    async def _keep(self, deployment: str) -> None:
        """Now and then: what is ours, and does Redis still have what it had?"""
        if anyio.current_time() < self._keep_at:
            return
        kept = self._shards
        self._shards = {}
        for hold in await self._outbox.keep(self._process):
            shard = kept.get(hold.shard)
            if shard is None or shard.hold != hold:
                shard = ShardRelay(hold, self._outbox, self._spine, deployment=deployment)
            with suppress(HoldLost):
                await shard.align()
                self._shards[hold.shard] = shard
        self._keep_at = anyio.current_time() + self._keep_every

    async def _publish(self) -> bool:
        """Drain what has something to publish, until the next look at what is ours.

        Whether there may be more.
        """
        waiting = await self._outbox.waiting(list(self._shards)) if self._shards else ()
        drains = [_Drain(self._shards[shard]) for shard in waiting]
        async with anyio.create_task_group() as tasks:
            for drain in drains:
                tasks.start_soon(drain.run, self._at_once, self._keep_at)
        if any(drain.is_stuck for drain in drains):
            self._keep_at = 0.0
        for drain in drains:
            if drain.trouble is not None:
                raise drain.trouble
        return any(drain.progress is Progress.MORE for drain in drains)

    async def _let_go(self) -> None:
        self._shards, self._keep_at = {}, 0.0
        with suppress(Unavailable):
            await self._outbox.release(self._process)


class _Drain:
    """Publishes one shard until nothing is left, or time is up."""

    def __init__(self, shard: ShardRelay) -> None:
        self._shard = shard
        self.progress = Progress.NOTHING
        self.is_stuck = False
        """Something waits and nothing could be begun: somebody else may hold the shard."""
        self.trouble: SpineAway | Unavailable | None = None

    async def run(self, at_once: CapacityLimiter, until: float) -> None:
        """Take turns with the other shards; a trouble is kept for when all have ended."""
        try:
            await self._turn(at_once)
            self.is_stuck = self.progress is Progress.NOTHING
            while self.progress is Progress.MORE and anyio.current_time() < until:
                await self._turn(at_once)
        except HoldLost:
            self.progress, self.is_stuck = Progress.NOTHING, True
        except (SpineAway, Unavailable) as trouble:
            self.trouble = trouble

    async def _turn(self, at_once: CapacityLimiter) -> None:
        async with at_once:
            self.progress = await self._shard.turn()
