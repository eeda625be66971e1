"""The nemesis: does harm to everything that may be harmed, in an order that the seed decides."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, LiteralString

import anyio
import psycopg
from anyio import to_thread
from anyio.abc import TaskGroup

from tests.chaos.plant import Plant
from tests.chaos.processes import Place
from tests.chaos.settings import Wildness

SERVER_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError)

SESSIONS: Final[LiteralString] = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'ordinaut' AND backend_type = 'client backend' ORDER BY pid
"""
TERMINATE: Final[LiteralString] = "SELECT pg_terminate_backend(%(pid)s)"
MOVE: Final[LiteralString] = """
    UPDATE ordinaut.moved SET by_span = by_span + make_interval(secs => %(seconds)s)
"""
SNAPSHOT: Final[LiteralString] = "SELECT count(*) FROM ordinaut.due_work"
LOCK: Final[LiteralString] = """
    SELECT run_id FROM ordinaut.due_work ORDER BY run_id LIMIT %(limit)s FOR UPDATE
"""

DECK: Final = (
    "kill_process",
    "kill_process",
    "stop_past_lease",
    "stop_past_lease",
    "end_gracefully",
    "terminate_sessions",
    "terminate_sessions",
    "restart_postgres",
    "flush_valkey",
    "kill_valkey",
    "move_now",
    "move_now_back",
    "hold_transaction",
    "lock_rows",
)
"""Each deed as often as it comes in one round."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, and when."""

    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S.%f} {self.what}"


@dataclass(slots=True)
class Nemesis:
    """Draws deeds from a shuffled deck; everything that it stops it also starts again."""

    plant: Plant
    places: Sequence[Place]
    wildness: Wildness
    deeds: list[Deed] = field(default_factory=list[Deed])

    async def rage(self) -> None:
        """For as long as was asked; on leaving all that it began has ended."""
        random = Random(self.wildness.seed)
        deck = _drawn(random)
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(self.wildness.seconds):
                while True:
                    await anyio.sleep(random.uniform(0.5, 3))
                    await self._do(next(deck), Random(random.random()), group)

    async def _do(self, name: str, random: Random, group: TaskGroup) -> None:
        # Shielded: what was stopped is started again before anything else happens.
        deed: Callable[[Random, TaskGroup], Awaitable[None]] = getattr(self, f"_{name}")
        with anyio.CancelScope(shield=True):
            try:
                await deed(random, group)
            except SERVER_TROUBLE as error:
                self._note(f"{name} did not find the database: {type(error).__name__}")

    def _note(self, what: str) -> None:
        self.deeds.append(Deed(datetime.now(UTC), what))

    async def _kill_process(self, random: Random, _: TaskGroup) -> None:
        place = random.choice(self.places)
        self._note(f"kill -9 of {place.name}-{place.starts}")
        place.tell(signal.SIGKILL)

    async def _stop_past_lease(self, random: Random, group: TaskGroup) -> None:
        place, seconds = random.choice(self.places), random.uniform(1.2, 2.5)
        group.start_soon(self._stopped, place, seconds * self.wildness.lease_seconds)

    async def _stopped(self, place: Place, seconds: float) -> None:
        name, starts = f"{place.name}-{place.starts}", place.starts
        self._note(f"SIGSTOP of {name} for {seconds:.1f} s")
        place.tell(signal.SIGSTOP)
        with anyio.CancelScope(shield=True):
            await anyio.sleep(seconds)
        if place.starts == starts:
            self._note(f"SIGCONT of {name}")
            place.tell(signal.SIGCONT)

    async def _end_gracefully(self, random: Random, _: TaskGroup) -> None:
        place = random.choice(self.places)
        self._note(f"SIGTERM of {place.name}-{place.starts}")
        place.tell(signal.SIGTERM)

    async def _terminate_sessions(self, random: Random, _: TaskGroup) -> None:
        def terminate() -> int:
            with psycopg.connect(self.plant.admin_url, autocommit=True) as admin:
                pids = [pid for (pid,) in admin.execute(SESSIONS).fetchall()]
                chosen = random.sample(pids, random.randint(1, len(pids)) if pids else 0)
                for pid in chosen:
                    admin.execute(TERMINATE, {"pid": pid})
            return len(chosen)

        self._note(f"terminated {await to_thread.run_sync(terminate)} sessions")

    async def _restart_postgres(self, random: Random, _: TaskGroup) -> None:
        seconds = random.uniform(0, 2)
        self._note(f"PostgreSQL stopped at once, away for {seconds:.1f} s")
        await to_thread.run_sync(self.plant.stop_postgres)
        await anyio.sleep(seconds)
        await to_thread.run_sync(self.plant.start_postgres)
        self._note("PostgreSQL is back")

    async def _flush_valkey(self, random: Random, _: TaskGroup) -> None:
        del random
        self._note("FLUSHALL")
        await to_thread.run_sync(self.plant.flush_valkey)

    async def _kill_valkey(self, random: Random, _: TaskGroup) -> None:
        seconds = random.uniform(0, 2)
        self._note(f"kill -9 of Valkey, away for {seconds:.1f} s")
        await to_thread.run_sync(self.plant.kill_valkey)
        await anyio.sleep(seconds)
        await to_thread.run_sync(self.plant.start_valkey)

    async def _move_now(self, random: Random, _: TaskGroup) -> None:
        seconds = random.choice([random.uniform(2, 10), random.uniform(10, 90)])
        await self._moved(seconds)

    async def _move_now_back(self, random: Random, _: TaskGroup) -> None:
        await self._moved(-random.uniform(0.5, 4))

    async def _moved(self, seconds: float) -> None:
        def move() -> None:
            with psycopg.connect(self.plant.admin_url) as admin:
                admin.execute(MOVE, {"seconds": seconds})

        self._note(f"the database's now moves by {seconds:+.1f} s")
        await to_thread.run_sync(move)

    async def _hold_transaction(self, random: Random, group: TaskGroup) -> None:
        group.start_soon(self._held, SNAPSHOT, None, random.uniform(2, 6))

    async def _lock_rows(self, random: Random, group: TaskGroup) -> None:
        group.start_soon(self._held, LOCK, {"limit": random.randint(1, 5)}, random.uniform(1, 4))

    async def _held(
        self, statement: LiteralString, parameters: dict[str, Any] | None, seconds: float
    ) -> None:
        """A transaction that stays open, with its snapshot and its locks."""
        self._note(f"a transaction is held for {seconds:.1f} s: {' '.join(statement.split()[:2])}")
        with anyio.CancelScope(shield=True):
            try:
                async with await psycopg.AsyncConnection.connect(self.plant.admin_url) as admin:
                    await admin.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                    await admin.execute(statement, parameters)
                    await anyio.sleep(seconds)
            except (*SERVER_TROUBLE, psycopg.errors.SerializationFailure) as error:
                self._note(f"the held transaction ended early: {type(error).__name__}")


def _drawn(random: Random) -> Iterator[str]:
    """Round after round, each in an order of its own."""
    while True:
        yield from random.sample(DECK, len(DECK))
