"""One campaign: start, load, harm, heal, drain, check."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Final, LiteralString

import anyio
import psycopg
from anyio import to_thread

from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.store.pool import new_pool
from tests.chaos.checker import violations
from tests.chaos.history import History, Sample
from tests.chaos.load import OWNERS, Load, settings_of
from tests.chaos.nemesis import SERVER_TROUBLE, Nemesis
from tests.chaos.plant import Plant
from tests.chaos.processes import BUILT, Place
from tests.chaos.reading import history_of, sample
from tests.chaos.settings import Wildness

SAMPLE_EVERY = 1.0
LOOK_EVERY = 0.25
DRAINING = tuple(role for role in BUILT if role != "scheduler")
PUBLISHES = "relay" in BUILT

OVERDUE: Final[LiteralString] = """
    SELECT count(*) FROM ordinaut.task WHERE status = 'active' AND next_run_at <= ordinaut.now()
"""
LEFT: Final[LiteralString] = """
    SELECT count(*) FROM ordinaut.due_work WHERE state <> 'waiting'
"""
UNPUBLISHED: Final[LiteralString] = "SELECT count(*) FROM ordinaut.outbox WHERE batch IS NULL"


@dataclass(slots=True)
class Campaign:
    """Everything that one seed does, and what came of it."""

    plant: Plant
    wildness: Wildness
    places: Sequence[Place] = ()
    nemesis: Nemesis = field(init=False)
    samples: list[Sample] = field(default_factory=list[Sample])
    exits: list[int] = field(default_factory=list[int])
    late: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])
    history: History = field(init=False)

    def __post_init__(self) -> None:
        wild = self.wildness
        self.places = [
            Place(self.plant, number, wild.lease_seconds) for number in range(wild.processes)
        ]
        self.nemesis = Nemesis(self.plant, self.places, wild)

    async def run(self) -> Mapping[str, Sequence[str]]:
        """The violations; empty when every invariant held."""
        try:
            async with self._loaded() as load:
                await self.nemesis.rage()
            await self._drain(load)
        finally:
            for place in self.places:
                place.kill()
        self.history = await to_thread.run_sync(self._read, load)
        return await to_thread.run_sync(violations, self.history)

    @asynccontextmanager
    async def _loaded(self) -> AsyncGenerator[Load, None]:
        """Processes, tasks and orders; on leaving nobody orders any more, and everybody lives."""
        settings, random = settings_of(self.plant.folder / "work"), Random(self.wildness.seed)
        async with new_pool(self.plant.database_url, largest=4) as pool:
            wild = self.wildness
            load = Load(
                services_over(pool, settings),
                random,
                number=wild.tasks,
                rate=wild.orders_per_second,
            )
            async with anyio.create_task_group() as group:
                for place in self.places:
                    group.start_soon(place.keep)
                with anyio.fail_after(60):
                    await load.begin()
                async with anyio.create_task_group() as asking:
                    for duty in (load.go_on, load.decide, self._sample):
                        asking.start_soon(duty)
                    yield load
                    asking.cancel_scope.cancel()
                await self._until("every slot is accounted for", OVERDUE)
                group.cancel_scope.cancel()

    async def _drain(self, load: Load) -> None:
        """Let all go in peace; then others, who make no new runs, end what is left."""
        async with anyio.create_task_group() as group:
            for place in self.places:
                group.start_soon(self._left, place)
        for place in self.places[:2]:
            await place.call(DRAINING)
        async with new_pool(self.plant.database_url, largest=2) as pool:
            load.use(services_over(pool, settings_of(self.plant.folder / "work")))
            await self._until("the queue is empty", LEFT)
            for owner in OWNERS:
                await load.decide_of(owner)
            if PUBLISHES:
                await self._until("everything is published", UNPUBLISHED)
        for place in self.places[:2]:
            await self._left(place)

    async def _left(self, place: Place) -> None:
        self.exits.append(await place.leave())

    async def _sample(self) -> None:
        while True:
            await anyio.sleep(SAMPLE_EVERY)
            try:
                self.samples.append(await to_thread.run_sync(sample, self.plant.admin_url))
            except SERVER_TROUBLE:
                continue

    async def _until(self, what: str, statement: LiteralString) -> None:
        """Wait until this counts zero; what takes too long is for the checker to tell."""
        began = monotonic()
        while count := await to_thread.run_sync(self._counted, statement):
            if monotonic() - began > self.wildness.drain_seconds:
                self.late.append(f"not within {monotonic() - began:.0f} s: {what} ({count} left)")
                return
            await anyio.sleep(LOOK_EVERY)
        self.remarks.append(f"after {monotonic() - began:.1f} s {what}")

    def _counted(self, statement: LiteralString) -> int:
        with psycopg.connect(self.plant.admin_url) as connection:
            [(count,)] = connection.execute(statement).fetchall()
        return count

    def _read(self, load: Load) -> History:
        return history_of(
            self.plant.admin_url,
            self.plant.ledger,
            redis_url=self.plant.redis_url if PUBLISHES else None,
            orders=load.orders,
            samples=self.samples,
            late=self.late,
        )
