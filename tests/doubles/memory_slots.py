"""The `SlotStore` and `ProcessStore` ports in memory, for the loops that live on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import anyio
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.decision import Accounted, DueTask, Recomputed, StaleTask
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import Account, Depth, ProcessInfo, Recompute
from tests.doubles.definitions import NOON


class MemorySlots:
    """Due tasks that a test puts in; counts what it is asked."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(hours=1)
        self.due: list[DueTask] = []
        self.coming: list[DueTask] = []
        """Tasks whose slots are still to come."""
        self.looks_ahead = 0
        self.accounted: list[Accounted] = []
        self.next_due: timedelta | None = None
        self.ticks = 0
        self.rezoned: list[str] = []
        self.stale: list[StaleTask] = []
        """Tasks that another release of tzdata has computed."""
        self.recomputed: list[Recomputed] = []
        self.is_away = False
        self._ticked = anyio.Condition()

    async def materialise(self, account: Account, *, limit: int) -> int:
        await checkpoint()
        self.ticks += 1
        async with self._ticked:
            self._ticked.notify_all()
        if self.is_away:
            raise Unavailable("The database is not reachable; nothing was stored.")
        due, self.due = self.due[:limit], self.due[limit:]
        self.accounted += [account(task, self.now) for task in due]
        return len(due)

    async def ahead(
        self, *, within: timedelta, beyond: DueTask | None, limit: int
    ) -> Sequence[DueTask]:
        await checkpoint()
        self.looks_ahead += 1
        if beyond is not None:
            return []
        soon = self.now + within
        return [task for task in self.coming if task.next_run_at <= soon][:limit]

    async def next_due_in(self) -> timedelta | None:
        await checkpoint()
        return self.next_due

    async def rezone(self, recompute: Recompute, *, tz_version: str, limit: int) -> int:
        await checkpoint()
        self.rezoned.append(tz_version)
        stale, self.stale = self.stale[:limit], self.stale[limit:]
        self.recomputed += [recompute(task) for task in stale]
        return len(stale)

    async def until_tick(self, number: int) -> None:
        """Wait until it was asked so often what is due."""
        async with self._ticked:
            while self.ticks < number:
                await self._ticked.wait()


class MemoryProcesses:
    """Remembers who came and who left."""

    def __init__(self) -> None:
        self.registered: list[tuple[Sequence[str], str, str]] = []
        self.left: list[ProcessId] = []
        self.away_for = 0
        """So many calls to come raise `Unavailable`."""

    async def register(self, *, roles: Sequence[str], version: str, tzdata: str) -> ProcessId:
        await self._answer()
        self.registered.append((roles, version, tzdata))
        return ProcessId(len(self.registered))

    async def beat(self, process: ProcessId) -> None:
        await self._answer()

    async def leave(self, process: ProcessId) -> None:
        await self._answer()
        self.left.append(process)

    async def alive(self, *, within: timedelta) -> Sequence[ProcessInfo]:
        await self._answer()
        return ()

    async def depth(self) -> Depth:
        await self._answer()
        return Depth(queued=0, running=0, retrying=0, waiting=0, oldest_overdue=None)

    async def keep_partitions(self) -> None:
        await self._answer()

    async def _answer(self) -> None:
        await checkpoint()
        if self.away_for > 0:
            self.away_for -= 1
            raise Unavailable("The database is not reachable; nothing was stored.")
