"""Lines that gather into batches, and a database that answers each when a test says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio import CancelScope
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.run import Lease, RunId
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.runtime.batches import Batches
from tests.doubles.definitions import NOON


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is written under a lease."""

    lease: Lease


def a_line(number: int) -> Line:
    """The line of the run with this number."""
    return Line(Lease(run_id=RunId(number), created_at=NOON, epoch=1))


@dataclass(slots=True)
class Asked:
    """One write that is under way, or was."""

    numbers: list[int]
    answered: anyio.Event = field(default_factory=anyio.Event)
    error: OrdinautError | None = None


class Database:
    """Remembers each batch, and answers it when it is told to."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        """Runs whose leases it calls lost."""
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.torn: list[list[int]] = []
        """Writes that were cancelled in the middle."""
        self._at_once = 0

    @property
    def batches(self) -> list[list[int]]:
        """What came together, in order."""
        return [one.numbers for one in self.asked]

    async def write(self, batch: Sequence[Line]) -> set[Lease]:
        asked = Asked([line.lease.run_id for line in batch])
        self.asked.append(asked)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asked.answered.wait()
            await checkpoint()
        except anyio.get_cancelled_exc_class():
            self.torn.append(asked.numbers)
            raise
        finally:
            self._at_once -= 1
        if asked.error is not None:
            raise asked.error
        return {line.lease for line in batch if line.lease.run_id in self.lost}

    def answer(self, batch: int, error: OrdinautError | None = None) -> None:
        """Let this write end."""
        self.asked[batch].error = error
        self.asked[batch].answered.set()


class Gathering:
    """Tasks that each have one line written, and what each was told."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self.database = Database()
        self._batches = Batches(self.database.write)
        self.told: dict[int, bool | str] = {}
        """By number: whether the lease was held, or the sentence of the error."""
        self.cancelled: set[int] = set()
        """Those whose task has ended by a cancel."""
        self._scopes: dict[int, CancelScope] = {}

    def submit(self, *numbers: int) -> None:
        """Have these written, each by a task of its own."""
        for number in numbers:
            self._scopes[number] = CancelScope()
            self._tasks.start_soon(self._submit, number)

    def cancel(self, number: int) -> None:
        """End the task that submitted this one."""
        self._scopes[number].cancel()

    async def _submit(self, number: int) -> None:
        with self._scopes[number] as scope:
            try:
                self.told[number] = await self._batches.submit(a_line(number))
            except OrdinautError as error:
                self.told[number] = error.message
        if scope.cancelled_caught:
            self.cancelled.add(number)

    async def let_go(self, rounds: int = 10) -> None:
        """Let everybody do what they can do now."""
        for _ in range(rounds):
            await checkpoint()

    async def until_asked(self, number: int) -> None:
        """Wait until so many writes have begun."""
        while len(self.database.asked) < number:
            await checkpoint()

    async def until_over(self, *numbers: int) -> None:
        """Wait until each of these was told, or cancelled."""
        while not self.told.keys() | self.cancelled >= set(numbers):
            await checkpoint()


@asynccontextmanager
async def gathering() -> AsyncGenerator[Gathering, None]:
    """Everybody is waited for at the end, for five seconds at most."""
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            yield Gathering(tasks)
