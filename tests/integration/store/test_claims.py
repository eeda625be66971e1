"""What only a real PostgreSQL can prove about claiming side by side."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import Failed, Lease, ProcessId, RunId, Succeeded
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from tests.integration.store.stored import a_task, change, due_runs, look
from tests.leasing import settled
from tests.moving import move

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
UNFINISHED = "SELECT count(*) FROM ordinaut.due_work"
OUTCOMES = "SELECT state, count(*) FROM ordinaut.run GROUP BY state ORDER BY state"


async def test_ten_workers_take_a_thousand_due_runs_each_exactly_once(pool: Pool) -> None:
    wanted = await due_runs(pool, await a_task(pool), 1_000)
    queue, claimed = PostgresQueue(pool), list[RunId]()

    async def work(process: ProcessId) -> None:
        while runs := await queue.claim(process, limit=20, lease_for=MINUTE):
            claimed.extend(run.lease.run_id for run in runs)
            for run in runs:
                assert await settled(queue, run.lease, Succeeded(process))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as workers:
            for number in range(10):
                workers.start_soon(work, ProcessId(number))

    assert sorted(claimed) == wanted
    assert await look(pool, UNFINISHED) == [(0,)]
    assert await look(pool, OUTCOMES) == [("succeeded", 1_000)]


async def test_serial_runs_never_overlap_however_many_workers_there_are(pool: Pool) -> None:
    tasks = [await a_task(pool) for _ in range(3)]
    for task in tasks:
        await due_runs(pool, task, 10, serial=True)
    queue, under_way, most = PostgresQueue(pool), Counter[int](), Counter[int]()
    order: list[RunId] = []

    async def work(process: ProcessId) -> None:
        while len(order) < 30:
            for run in await queue.claim(process, limit=4, lease_for=MINUTE):
                under_way[run.task_id] += 1
                most[run.task_id] = max(most[run.task_id], under_way[run.task_id])
                order.append(run.lease.run_id)
                await anyio.lowlevel.checkpoint()
                under_way[run.task_id] -= 1
                assert await settled(queue, run.lease, Succeeded(None))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as workers:
            for number in range(5):
                workers.start_soon(work, ProcessId(number))

    assert dict(most) == {task.id: 1 for task in tasks}
    assert len(set(order)) == 30


async def test_of_two_settlements_at_the_same_moment_one_counts(pool: Pool) -> None:
    [run_id] = await due_runs(pool, await a_task(pool), 1)
    queue, answers = PostgresQueue(pool), list[bool]()
    [run] = await queue.claim(ProcessId(1), limit=1, lease_for=MINUTE)

    async def settle() -> None:
        answers.append(await settled(queue, run.lease, Succeeded(1)))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as both:
            both.start_soon(settle)
            both.start_soon(settle)

    assert sorted(answers) == [False, True]
    assert await look(pool, "SELECT id, state FROM ordinaut.run") == [(run_id, "succeeded")]


async def test_reapers_side_by_side_count_one_crash(pool: Pool) -> None:
    await due_runs(pool, await a_task(pool), 50)
    queue = PostgresQueue(pool)
    await queue.claim(ProcessId(1), limit=50, lease_for=MINUTE)
    await move(pool, 2 * MINUTE)
    returned: list[int] = []

    async def reap() -> None:
        returned.append(await queue.reap(crashes_allowed=3))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as reapers:
            for _ in range(4):
                reapers.start_soon(reap)

    assert sum(returned) == 50
    crashes = "SELECT state, crashes, count(*) FROM ordinaut.due_work GROUP BY 1, 2"
    assert await look(pool, crashes) == [("retrying", 1, 50)]


async def test_a_row_without_a_definition_does_not_stop_the_others_and_is_buried(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    broken, well = await due_runs(pool, await a_task(pool), 2)
    await change(
        pool, "UPDATE ordinaut.due_work SET generation = 99 WHERE run_id = %(id)s", id=broken
    )
    queue = PostgresQueue(pool)

    claimed = await queue.claim(ProcessId(1), limit=10, lease_for=MINUTE)

    assert [run.lease.run_id for run in claimed] == [well]
    assert f"run_{broken} has no definition" in caplog.text
    for run in claimed:
        await settled(queue, run.lease, Succeeded(None))
    for _ in range(3):
        await move(pool, 2 * MINUTE)
        await queue.reap(crashes_allowed=3)
        await move(pool, MINUTE)
        await queue.claim(ProcessId(1), limit=10, lease_for=MINUTE)
    assert await look(pool, UNFINISHED) == [(0,)]


async def test_an_unreadable_definition_is_claimed_like_any_other(pool: Pool) -> None:
    await due_runs(pool, await a_task(pool), 1)
    await change(pool, "UPDATE ordinaut.task_revision SET definition = '[]'")
    queue = PostgresQueue(pool)

    [run] = await queue.claim(ProcessId(1), limit=10, lease_for=MINUTE)

    # Whoever executes it says what is wrong; the queue does not look inside.
    assert await settled(queue, run.lease, Failed({"code": "internal_error"}))
    assert await look(pool, OUTCOMES) == [("failed", 1)]


async def test_a_lease_of_no_run_settles_nothing(pool: Pool) -> None:
    [run_id] = await due_runs(pool, await a_task(pool), 1)
    [run] = await PostgresQueue(pool).claim(ProcessId(1), limit=1, lease_for=MINUTE)
    foreign = Lease(run_id=RunId(run_id + 1), created_at=run.lease.created_at, epoch=1)

    assert not await settled(PostgresQueue(pool), foreign, Succeeded(None))
