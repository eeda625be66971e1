"""The loops beside the worker: scheduler, duties, listener, reaper, clockwork, doorbell."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from ordinaut_mcp.domain.decision import DueTask, StaleTask
from ordinaut_mcp.domain.run import ProcessId, RunState, TaskId
from ordinaut_mcp.domain.task import Overlap, Policies, TaskStatus
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.doorbell import Doorbell
from ordinaut_mcp.runtime.duty import Duty
from ordinaut_mcp.runtime.listener import Listener
from ordinaut_mcp.runtime.reaper import Reaper
from ordinaut_mcp.runtime.scheduler import BATCH, Scheduler
from tests.doubles.definitions import NOON, a_definition
from tests.doubles.memory_queue import MemoryQueue
from tests.doubles.memory_slots import MemorySlots

pytestmark = pytest.mark.anyio

MOMENT = timedelta(milliseconds=20)
LONG = timedelta(hours=1)
DUE = NOON + LONG


class Rings:
    """A bell between processes that remembers what it rang for."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    async def ring(self, bell: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.rung.append(bell)


@asynccontextmanager
async def scheduling(
    slots: MemorySlots, rings: list[str], bell: Rings | None = None
) -> AsyncGenerator[Scheduler, None]:
    clockwork = Clockwork()
    scheduler = Scheduler(slots, clockwork, on_runs=lambda: rings.append("runs"), bell=bell)
    with anyio.fail_after(5), clockwork.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scheduler.run)
            yield scheduler
            tasks.cancel_scope.cancel()


async def quiet_for(span: timedelta) -> None:
    """Let loops that would poll do so."""
    with anyio.move_on_after(span.total_seconds()):
        await anyio.sleep_forever()


def due(number: int = 1, definition: object = None) -> DueTask:
    whole = a_definition(expr="every 1h").to_dict() if definition is None else definition
    return DueTask(
        generation=1,
        id=TaskId(number),
        definition=whole,  # pyright: ignore[reportArgumentType] — broken ones are the point
        next_run_at=DUE,
        runs_started=0,
        live_runs=0,
    )


async def test_an_idle_scheduler_asks_once_and_sleeps() -> None:
    slots = MemorySlots()

    async with scheduling(slots, []):
        await slots.until_tick(1)
        await quiet_for(timedelta(milliseconds=200))

    assert slots.ticks == 1


async def test_the_doorbell_wakes_the_scheduler() -> None:
    slots, rings = MemorySlots(), list[str]()

    async with scheduling(slots, rings) as scheduler:
        await slots.until_tick(1)
        slots.due.append(due())
        scheduler.doorbell.ring()
        await slots.until_tick(3)

    assert rings == ["runs"]
    assert [result.status for result in slots.accounted] == [TaskStatus.ACTIVE]


async def test_the_scheduler_wakes_at_the_next_due_instant() -> None:
    slots = MemorySlots()
    slots.next_due = MOMENT

    async with scheduling(slots, []):
        await slots.until_tick(1)
        slots.next_due = None
        await slots.until_tick(2)
        await quiet_for(timedelta(milliseconds=100))

    assert slots.ticks == 2


async def test_the_scheduler_takes_batch_after_batch_without_a_rest() -> None:
    slots, rings = MemorySlots(), list[str]()
    slots.due = [due(number) for number in range(BATCH + 1)]

    async with scheduling(slots, rings):
        await slots.until_tick(3)

    assert len(slots.accounted) == BATCH + 1
    assert rings == ["runs", "runs"]


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(Overlap.SKIP, ["work"]), (Overlap.CANCEL_RUNNING, ["work", "cancels"])],
)
async def test_workers_of_other_processes_are_woken_by_the_bell(
    overlap: Overlap, expected: list[str]
) -> None:
    slots, bell = MemorySlots(), Rings()
    definition = a_definition(expr="every 1h", policies=Policies(overlap=overlap)).to_dict()
    slots.due = [due(1, definition)]

    async with scheduling(slots, [], bell):
        await slots.until_tick(2)

    assert bell.rung == expected


async def test_what_is_due_and_locked_by_another_is_no_reason_to_poll_busily() -> None:
    slots = MemorySlots()
    slots.next_due = timedelta(seconds=-1)

    async with scheduling(slots, []):
        await quiet_for(timedelta(milliseconds=250))

    assert 2 <= slots.ticks <= 7


async def test_a_task_that_cannot_be_computed_is_paused_and_its_neighbours_go_on() -> None:
    slots = MemorySlots()
    slots.due = [due(1), due(2, definition={"schedule": "none"}), due(3)]

    async with scheduling(slots, []):
        await slots.until_tick(2)

    first, broken, last = slots.accounted
    assert [len(first.runs), len(last.runs)] == [1, 1]
    assert (broken.status, broken.next_run_at, broken.runs) == (TaskStatus.PAUSED, DUE, ())
    assert "cannot be computed" in (broken.note or "")


async def test_a_scheduler_without_a_database_waits_and_comes_back() -> None:
    slots = MemorySlots()
    slots.is_away = True
    slots.due.append(due())

    async with scheduling(slots, []):
        await slots.until_tick(1)
        slots.is_away = False
        await slots.until_tick(2)

    assert len(slots.accounted) == 1


def stale(number: int, definition: object = None) -> StaleTask:
    whole = a_definition().to_dict() if definition is None else definition
    return StaleTask(
        id=TaskId(number),
        definition=whole,  # pyright: ignore[reportArgumentType] — broken ones are the point
        next_run_at=DUE,
        last_slot_at=None,
        last_slot_local=None,
        revised_at=NOON,
    )


async def test_what_another_tzdata_computed_is_computed_anew_before_anything_fires() -> None:
    slots = MemorySlots()
    slots.stale = [stale(number) for number in range(BATCH + 3)]

    async with scheduling(slots, []):
        await slots.until_tick(1)

    assert slots.rezoned == [TZDATA_VERSION, TZDATA_VERSION]
    assert len(slots.recomputed) == BATCH + 3
    # 08:00 in Chișinău, in winter.
    assert {each.next_run_at for each in slots.recomputed} == {datetime(2026, 1, 2, 6, tzinfo=UTC)}


async def test_a_stale_task_that_cannot_be_computed_is_paused_and_its_neighbours_go_on() -> None:
    slots = MemorySlots()
    slots.stale = [stale(1), stale(2, definition={"schedule": "none"})]

    async with scheduling(slots, []):
        await slots.until_tick(1)

    well, broken = slots.recomputed
    assert well.status is None
    assert (broken.status, broken.next_run_at) == (TaskStatus.PAUSED, DUE)


async def on_duty(duty: Duty, met: Callable[[], bool]) -> None:
    """The duty until something holds."""
    clockwork = Clockwork()
    with anyio.fail_after(5), clockwork.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(duty.run, clockwork)
            while not met():
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


async def test_a_duty_is_done_at_once_and_then_again_and_again() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    await on_duty(Duty("test", work, every=MOMENT), lambda: len(done) >= 3)

    assert len(done) == 3


async def test_a_duty_waits_for_a_database_that_is_away() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)
        if len(done) < 3:
            raise Unavailable("away")

    await on_duty(Duty("test", work, every=MOMENT), lambda: len(done) >= 4)

    assert len(done) == 4


async def test_the_reaper_returns_what_has_expired_and_rings() -> None:
    queue, rings = MemoryQueue(), list[str]()
    run_id = queue.add()
    await queue.claim(ProcessId(1), limit=1, lease_for=MOMENT)
    queue.now += LONG

    await on_duty(
        Reaper(queue, every=MOMENT, on_returned=lambda: rings.append("returned")).duty(),
        lambda: queue.calls.count("reap") >= 2,
    )

    assert rings == ["returned"]
    assert queue.works[run_id].state is RunState.RETRYING


async def test_the_scheduler_computes_ahead_what_is_about_to_be_due() -> None:
    slots, rings = MemorySlots(), list[str]()
    slots.coming, slots.next_due = [due(1), due(2)], MOMENT * 200
    async with scheduling(slots, rings) as scheduler:
        while slots.looks_ahead < 1:
            await anyio.lowlevel.checkpoint()
        slots.due, slots.now = [due(1), due(2)], DUE
        scheduler.doorbell.ring()
        await slots.until_tick(2)
        while len(slots.accounted) < 2:
            await anyio.lowlevel.checkpoint()

    assert [len(accounted.runs) for accounted in slots.accounted] == [1, 1]
    assert slots.accounted[0].next_run_at == DUE + timedelta(hours=1)


class Bells:
    """Connections that a test rings, and cuts."""

    def __init__(self) -> None:
        self.opened = 0
        self.refuse = 0
        self.send, self._receive = anyio.create_memory_object_stream[str](10)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[AsyncGenerator[str, None], None]:
        self.opened += 1
        if self.opened <= self.refuse:
            raise Unavailable("refused")
        yield self._rings()

    async def _rings(self) -> AsyncGenerator[str, None]:
        while True:
            bell = await self._receive.receive()
            if bell == "cut":
                raise Unavailable("lost")
            yield bell

    def close(self) -> None:
        self.send.close()
        self._receive.close()


async def heard(bells: Bells, met: Callable[[list[str]], bool]) -> list[str]:
    """What the listener rings inside, until something holds."""
    rung: list[str] = []
    rings = {"work": lambda: rung.append("work"), "slots": lambda: rung.append("slots")}
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Listener(bells.listening, rings).run)
            while not met(rung):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    bells.close()
    return rung


async def test_the_listener_rings_what_it_hears() -> None:
    bells = Bells()
    for bell in ("work", "nonsense", "slots"):
        bells.send.send_nowait(bell)

    rung = await heard(bells, lambda rung: len(rung) >= 4)

    # First everything, for what rang while nobody listened.
    assert rung == ["work", "slots", "work", "slots"]


async def test_the_listener_connects_again_and_rings_for_what_it_missed() -> None:
    bells = Bells()
    bells.send.send_nowait("cut")

    rung = await heard(bells, lambda _: bells.opened >= 2)

    assert rung[:2] == ["work", "slots"]


async def test_the_listener_waits_for_a_database_that_is_away() -> None:
    bells = Bells()
    bells.refuse = 1

    assert await heard(bells, bool) == ["work", "slots"]
    assert bells.opened == 2


async def test_a_later_alarm_of_the_same_name_takes_the_place_of_the_first() -> None:
    clockwork, rung = Clockwork(), anyio.Event()
    first: list[str] = []
    with anyio.fail_after(5), clockwork.running():
        clockwork.once_in(MOMENT, lambda: first.append("first"), name="alarm")
        clockwork.once_in(MOMENT * 2, rung.set, name="alarm")
        await rung.wait()

    assert first == []


async def test_an_alarm_in_the_past_rings_at_once() -> None:
    clockwork, rung = Clockwork(), anyio.Event()
    with anyio.fail_after(5), clockwork.running():
        clockwork.once_in(-LONG, rung.set, name="alarm")
        await rung.wait()

    assert rung.is_set()


async def test_a_ring_before_the_wait_is_remembered_once() -> None:
    doorbell = Doorbell()
    doorbell.ring()
    doorbell.ring()

    with anyio.fail_after(5):
        await doorbell.wait(LONG)
    with anyio.move_on_after(0.02) as second:
        await doorbell.wait(LONG)

    assert second.cancelled_caught


async def test_without_a_ring_the_wait_ends_by_itself() -> None:
    with anyio.fail_after(5):
        await Doorbell().wait(MOMENT)
