"""What retention has ended goes, whole months at a time; what is unfinished stays."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.ports import Swept
from ordinaut_mcp.store import partitions
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.retention import PostgresRetention
from ordinaut_mcp.store.slots import PostgresSlots
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.integration.store.history import SEND_AGAIN, a_run, an_event, finish, ids
from tests.integration.store.stored import a_task, look
from tests.moving import move

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
KEEP = 90 * DAY
WAITERS = "SELECT count(*) FROM pg_locks WHERE NOT granted"
NOTHING = Swept()


async def later(pool: Pool, span: timedelta) -> PostgresRetention:
    """The store after so much time, with the partitions that it needs then."""
    await move(pool, span)
    retention = PostgresRetention(pool, batch=2)
    await retention.keep_partitions()
    return retention


async def waiting_for_a_lock(pool: Pool) -> None:
    while await look(pool, WAITERS) == [(0,)]:  # noqa: ASYNC110 — the server sends no event
        await anyio.sleep(0.005)


async def test_a_month_past_retention_goes_whole_with_its_steps(pool: Pool) -> None:
    task = await a_task(pool)
    await a_run(pool, task.id)
    retention = await later(pool, 60 * DAY)
    young = await a_run(pool, task.id)

    assert await retention.sweep_runs(KEEP) == NOTHING
    await move(pool, 62 * DAY)
    swept = await retention.sweep_runs(KEEP)

    assert [name[:4] for name in swept.partitions] == ["run_", "step"]
    assert swept.rows == 0
    assert await ids(pool, "run") == [young]
    assert await ids(pool, "step", "run_id") == [young]
    assert await retention.sweep_runs(KEEP) == NOTHING


async def test_a_month_with_an_unfinished_run_stays_with_its_journal(pool: Pool) -> None:
    task = await a_task(pool)
    done = await a_run(pool, task.id)
    waits = await a_run(pool, task.id, unfinished=True)
    retention = await later(pool, 200 * DAY)

    swept = await retention.sweep_runs(KEEP)
    # The months after it were empty, and went.
    assert {name[:4] for name in swept.partitions} <= {"run_", "step"}
    assert await ids(pool, "run") == [done, waits]
    assert await ids(pool, "step", "run_id") == [done, waits]
    assert await retention.sweep_slots(KEEP) == 0

    await finish(pool, waits)
    await retention.sweep_runs(KEEP)
    assert await ids(pool, "run") == await ids(pool, "step", "run_id") == []
    assert await retention.sweep_slots(KEEP) == 2


async def test_a_run_that_is_sent_again_at_the_last_moment_keeps_its_month(pool: Pool) -> None:
    run = await a_run(pool, (await a_task(pool)).id)
    retention = await later(pool, 200 * DAY)
    with anyio.fail_after(30):
        async with (
            anyio.create_task_group() as tasks,
            pool.connection() as connection,
            connection.transaction(),
        ):
            await connection.execute(SEND_AGAIN.encode(), {"run": run})
            tasks.start_soon(retention.sweep_runs, KEEP)
            await waiting_for_a_lock(pool)

    assert await ids(pool, "run") == [run]
    assert await ids(pool, "step", "run_id") == [run]


async def test_a_table_in_use_is_left_for_the_next_time(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_WAIT", timedelta(milliseconds=50))
    await a_run(pool, (await a_task(pool)).id)
    retention = await later(pool, 200 * DAY)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT count(*) FROM ordinaut.run, ordinaut.step")
        assert await retention.sweep_runs(KEEP) == NOTHING
        await move(pool, 31 * DAY)
        await retention.keep_partitions()

    assert len((await retention.sweep_runs(KEEP)).partitions) >= 2
    assert await ids(pool, "run") == []


async def test_two_janitors_at_once_drop_each_month_once(pool: Pool) -> None:
    await a_run(pool, (await a_task(pool)).id)
    retention = await later(pool, 200 * DAY)
    dropped: list[str] = []

    async def sweep() -> None:
        dropped.extend((await retention.sweep_runs(KEEP)).partitions)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(sweep)

    assert len(dropped) == len(set(dropped)) >= 2
    assert await ids(pool, "run") == []


async def test_what_lies_in_a_default_partition_goes_in_small_batches(pool: Pool) -> None:
    task = await a_task(pool)
    await move(pool, 400 * DAY)  # nobody made partitions for that time
    old = [await a_run(pool, task.id) for _ in range(5)]
    waits = await a_run(pool, task.id, unfinished=True)
    assert await look(pool, "SELECT count(*) FROM ordinaut.run_default") == [(6,)]
    retention = await later(pool, 91 * DAY)

    swept = await retention.sweep_runs(KEEP)

    assert swept.rows == 2 * len(old)
    assert await ids(pool, "run") == await ids(pool, "step", "run_id") == [waits]
    assert await retention.sweep_slots(KEEP) == len(old)
    assert await ids(pool, "slot", "run_id") == [waits]


async def test_published_events_go_after_their_time(pool: Pool) -> None:
    await an_event(pool, batch=1)
    retention = await later(pool, 3 * DAY)
    young = await an_event(pool, batch=2)
    assert (await retention.sweep_events(3 * DAY)).partitions == ()

    await move(pool, DAY)
    swept = await retention.sweep_events(3 * DAY)

    assert [name[:7] for name in swept.partitions] == ["outbox_"]
    assert (swept.unpublished, swept.given_up) == ((), ())
    assert await ids(pool, "outbox") == [young]


async def test_events_that_nobody_published_stay_four_times_as_long(pool: Pool) -> None:
    events = [await an_event(pool, batch=1), await an_event(pool, batch=None)]
    retention = await later(pool, 5 * DAY)

    swept = await retention.sweep_events(3 * DAY)
    [kept] = swept.unpublished
    assert await ids(pool, "outbox") == events

    await move(pool, 9 * DAY)
    swept = await retention.sweep_events(3 * DAY)
    assert swept.given_up == (kept,)
    assert kept in swept.partitions
    assert swept.unpublished == ()
    assert await ids(pool, "outbox") == []


async def test_stray_events_go_by_the_same_rule(pool: Pool) -> None:
    await move(pool, 100 * DAY)
    unpublished = await an_event(pool, batch=None)
    for _ in range(3):
        await an_event(pool, batch=1)
    retention = await later(pool, 4 * DAY)

    assert (await retention.sweep_events(3 * DAY)).rows == 3
    assert await ids(pool, "outbox") == [unpublished]
    await move(pool, 9 * DAY)
    assert (await retention.sweep_events(3 * DAY)).rows == 1


async def test_a_slot_that_went_is_never_materialised_again(pool: Pool) -> None:
    now = await PostgresTasks(pool).now()
    eight = now.replace(hour=6, minute=0, second=0, microsecond=0)  # 8:00 in Chisinau
    first = eight if eight <= now else eight - DAY
    task = await a_task(pool, next_run_at=first)
    slots = PostgresSlots(pool)
    await slots.materialise(account_for, limit=10)
    [run] = await ids(pool, "run")
    await finish(pool, run)
    retention = await later(pool, 200 * DAY)
    await retention.sweep_runs(KEEP)

    assert await retention.sweep_slots(KEEP) == 1
    await slots.materialise(account_for, limit=10)

    asked = "SELECT min(scheduled_for) > %(first)s FROM ordinaut.run WHERE task_id = %(task)s"
    assert await look(pool, asked, first=first, task=task.id) == [(True,)]


async def test_a_slot_that_its_schedule_could_still_name_stays(pool: Pool) -> None:
    now = await PostgresTasks(pool).now()
    again = await a_task(pool, next_run_at=now)
    ended = await a_task(pool)
    stays = await a_run(pool, again.id, slot=now)
    far = await a_run(pool, ended.id, slot=now + 300 * DAY)
    await a_run(pool, ended.id, slot=now)
    retention = await later(pool, 200 * DAY)
    await retention.sweep_runs(KEEP)
    assert await ids(pool, "run") == []

    assert await retention.sweep_slots(KEEP) == 1
    assert await ids(pool, "slot", "run_id") == [stays, far]


async def test_a_coming_partition_is_left_while_its_table_is_in_use(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_WAIT", timedelta(milliseconds=50))
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ordinaut.run'::regclass"
    [(before,)] = await look(pool, count)
    await move(pool, 31 * DAY)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("LOCK TABLE ordinaut.run IN ACCESS SHARE MODE")
        await PostgresRetention(pool).keep_partitions()
        assert await look(pool, count) == [(before,)]

    await PostgresRetention(pool).keep_partitions()
    assert await look(pool, count) == [(before + 1,)]


async def test_a_lock_is_not_waited_for_longer_than_said(pool: Pool) -> None:
    async with pool.connection() as connection, connection.transaction():
        await partitions.wait_shortly(connection)
        found = await (await connection.execute("SHOW lock_timeout")).fetchone()
    assert found == {"lock_timeout": "2s"}
