"""The supervisor: what starts when, and how all of it stops."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from anyio.abc import TaskStatus

from ordinaut_mcp.domain.run import ClaimedRun, Outcome, ProcessId, Released, Succeeded
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.listener import Listener
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.runtime.supervisor import Loops, Supervisor, registered
from ordinaut_mcp.runtime.worker import Worker
from tests.doubles.memory_queue import MemoryQueue
from tests.doubles.memory_slots import MemoryProcesses, MemorySlots
from tests.unit.runtime.attempts import Waiting

pytestmark = pytest.mark.anyio

ME = ProcessId(7)
NO_GRACE = timedelta(0)
LONG = timedelta(hours=1)


class House:
    """A supervisor over doubles, and what was seen of its loops."""

    def __init__(self) -> None:
        self.queue, self.slots, self.processes = MemoryQueue(), MemorySlots(), MemoryProcesses()
        self.clockwork = Clockwork()
        self.seen: list[str] = []
        self.begun, self.may_finish = anyio.Event(), anyio.Event()
        self.grace = LONG

    async def execute(self, claimed: ClaimedRun) -> Outcome:
        self.begun.set()
        await self.may_finish.wait()
        return Succeeded("done")

    async def foundation(self, *, task_status: TaskStatus[None]) -> None:
        """What must be up before anything else, and down after all."""
        self.seen.append("up")
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self.seen.append(f"down after {len(self.queue.settled)} settled")

    async def beat(self) -> None:
        self.seen.append("beat")

    def loops(self) -> Loops:
        return Loops(
            before=(self.foundation,),
            scheduler=Scheduler(self.slots, self.clockwork, on_runs=self.nothing),
            worker=Worker(
                ME, self.queue, lambda run, held: Waiting(self.execute, run, held), self.clockwork
            ),
            duties=[Duty("beat", self.beat, every=LONG)],
            listener=Listener(self.listening, {}),
        )

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[AsyncGenerator[str, None], None]:
        self.seen.append("listens")
        yield self.rings()

    async def rings(self) -> AsyncGenerator[str, None]:
        await anyio.sleep_forever()
        yield ""

    def nothing(self) -> None:
        self.seen.append("rung")

    @asynccontextmanager
    async def running(self, loops: Loops | None = None) -> AsyncGenerator[Supervisor, None]:
        supervisor = Supervisor(
            ME, self.processes, self.clockwork, loops or self.loops(), grace=self.grace
        )
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                await tasks.start(supervisor.run)
                yield supervisor
                supervisor.stop()


async def test_a_stop_lets_what_runs_finish_and_says_goodbye() -> None:
    house = House()
    run_id = house.queue.add()

    async with house.running() as supervisor:
        await house.begun.wait()
        supervisor.stop()
        house.queue.add()
        house.may_finish.set()

    assert house.queue.settled == [(run_id, Succeeded("done"))]
    assert house.processes.left == [ME]


async def test_the_foundation_is_up_first_and_down_last() -> None:
    house = House()
    house.queue.add()

    async with house.running():
        await house.begun.wait()
        await house.slots.until_tick(1)
        house.may_finish.set()

    assert house.seen[0] == "up"
    assert house.seen[-1] == "down after 1 settled"
    assert {"beat", "listens"} <= set(house.seen)


async def test_when_the_grace_is_over_runs_are_given_back() -> None:
    house = House()
    run_id = house.queue.add()
    house.grace = NO_GRACE

    async with house.running():
        await house.begun.wait()

    assert house.queue.settled == [(run_id, Released())]
    assert house.processes.left == [ME]


async def test_a_process_without_a_worker_stops_at_once() -> None:
    house = House()

    async with house.running(Loops(duties=[Duty("beat", house.beat, every=LONG)])):
        while not house.seen:
            await anyio.lowlevel.checkpoint()

    assert house.seen == ["beat"]
    assert house.processes.left == [ME]


async def test_a_goodbye_that_nobody_hears_does_not_hold_up_the_stop() -> None:
    house = House()
    house.processes.away_for = 10

    async with house.running(Loops()):
        pass

    assert house.processes.left == []


async def test_a_process_is_registered_as_soon_as_the_database_answers() -> None:
    processes = MemoryProcesses()
    processes.away_for = 2

    with anyio.fail_after(5):
        process = await registered(processes, roles=["worker"], version="1", tzdata="2026f")

    assert process == 1
    assert processes.registered == [(["worker"], "1", "2026f")]
