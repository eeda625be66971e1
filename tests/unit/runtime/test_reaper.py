"""The reaper: whom it takes runs from, and when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.run import ProcessId, RunId, RunState
from ordinaut_mcp.runtime.reaper import CRASHES_ALLOWED, GRACE, Reaper
from tests.doubles.memory_queue import MemoryQueue

pytestmark = pytest.mark.anyio

ANN, BOB = ProcessId(1), ProcessId(2)
LEASE = timedelta(seconds=30)
EVERY = timedelta(seconds=5)
A_LITTLE = timedelta(milliseconds=1)


class Clock:
    """The monotonic clock, moved by a test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by.total_seconds()


class Queue(MemoryQueue):
    """Remembers whom the reaper took for gone."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_for_gone: list[set[ProcessId]] = []

    async def reap(self, *, crashes_allowed: int, gone: Collection[ProcessId] = ()) -> int:
        self.taken_for_gone.append(set(gone))
        return await super().reap(crashes_allowed=crashes_allowed, gone=gone)


class Watch:
    """A reaper with its clock and a queue."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.queue = clock, Queue()
        self.rings = 0
        self.rung: list[str] = []
        """The bells that other processes heard."""
        self.reaper = Reaper(self.queue, every=EVERY, on_returned=self._returned, bell=self)

    def _returned(self) -> None:
        self.rings += 1

    async def ring(self, bell: str) -> None:
        await checkpoint()
        self.rung.append(bell)

    async def look_after(self, span: timedelta) -> None:
        """Let time pass, and the reaper look."""
        self.clock.move(span)
        self.queue.now += span
        await self.reaper.look()

    async def claimed(self, process: ProcessId) -> RunId:
        """A run that this process holds."""
        run_id = self.queue.add()
        await self.queue.claim(process, limit=1, lease_for=LEASE)
        return run_id

    def states(self) -> list[RunState]:
        return [work.state for work in self.queue.works.values()]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    clock = Clock()
    monkeypatch.setattr("ordinaut_mcp.runtime.reaper.time", clock)
    return Watch(clock)


async def test_a_process_whose_connection_ended_loses_its_runs_after_the_grace(
    watch: Watch,
) -> None:
    ann = await watch.claimed(ANN)
    await watch.claimed(BOB)
    watch.queue.dead = {ANN}
    await watch.look_after(timedelta(0))
    await watch.look_after(GRACE - A_LITTLE)
    assert watch.states() == [RunState.RUNNING, RunState.RUNNING]

    await watch.look_after(A_LITTLE)

    assert watch.states() == [RunState.RETRYING, RunState.RUNNING]
    assert watch.queue.works[ann].crashes == 1
    assert (watch.rings, watch.rung) == (1, ["work"])
    assert watch.queue.taken_for_gone == [set(), {ANN}]


async def test_a_process_that_is_back_within_the_grace_keeps_its_runs(watch: Watch) -> None:
    await watch.claimed(ANN)
    watch.queue.dead = {ANN}
    await watch.look_after(timedelta(0))
    watch.queue.dead = set()
    await watch.look_after(GRACE)

    # Cut off once more: the grace begins anew.
    watch.queue.dead = {ANN}
    await watch.look_after(GRACE)
    await watch.look_after(GRACE - A_LITTLE)
    assert watch.states() == [RunState.RUNNING]

    await watch.look_after(A_LITTLE)
    assert watch.states() == [RunState.RETRYING]


async def test_leases_are_swept_at_their_own_pace_however_often_the_reaper_looks(
    watch: Watch,
) -> None:
    for _ in range(21):
        await watch.look_after(timedelta(milliseconds=500))

    assert watch.queue.calls.count("cut_off") == 21
    # At 0.5 s, 5.5 s and 10.5 s.
    assert watch.queue.calls.count("reap") == 3
    assert (watch.rings, watch.rung) == (0, [])


async def test_a_lease_that_expired_is_found_by_the_next_sweep(watch: Watch) -> None:
    await watch.claimed(ANN)
    await watch.look_after(timedelta(0))
    await watch.look_after(LEASE)
    assert watch.states() == [RunState.RUNNING]

    await watch.look_after(EVERY)

    assert watch.states() == [RunState.RETRYING]
    assert watch.rings == 1


async def test_a_run_on_which_three_processes_end_is_a_dead_letter(watch: Watch) -> None:
    run_id = watch.queue.add()
    for number in range(1, CRASHES_ALLOWED + 1):
        process = ProcessId(number)
        watch.queue.now += timedelta(minutes=1)
        assert len(await watch.queue.claim(process, limit=1, lease_for=LEASE)) == 1
        watch.queue.dead.add(process)
        await watch.look_after(timedelta(0))
        await watch.look_after(GRACE)

    work = watch.queue.works[run_id]
    assert (work.state, work.attempt, work.crashes) == (RunState.FAILED, 3, 3)
    assert (work.error or {})["code"] == "worker_lost"


async def test_a_reaper_that_has_nobody_else_to_tell_takes_runs_back_all_the_same() -> None:
    queue, rings = MemoryQueue(), list[int]()
    run_id = queue.add()
    await queue.claim(ANN, limit=1, lease_for=LEASE)
    queue.now += LEASE + A_LITTLE

    await Reaper(queue, every=EVERY, on_returned=lambda: rings.append(1)).look()

    assert queue.works[run_id].state is RunState.RETRYING
    assert rings == [1]
