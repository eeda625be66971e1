"""The pause of the whole runtime in PostgreSQL: durable, told once, heeded by the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ordinaut_mcp.domain.decision import Accounted, DueTask
from ordinaut_mcp.ports import Pause
from ordinaut_mcp.store.pool import Pool, new_pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.settings import PostgresSettings
from ordinaut_mcp.store.slots import PostgresSlots
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.integration.store.sent_on import ANN
from tests.integration.store.stored import a_task, due_runs, look
from tests.moving import move

pytestmark = pytest.mark.anyio

TOLD = "SELECT topic, owner, data - 'since' AS data FROM ordinaut.outbox ORDER BY id"
MINUTE = timedelta(minutes=1)


async def test_nothing_is_paused_at_first(pool: Pool) -> None:
    assert await PostgresSettings(pool).paused() is None


async def test_a_pause_says_who_when_and_why_to_everybody(pool: Pool, database: str) -> None:
    now = await PostgresTasks(pool).now()

    assert await PostgresSettings(pool).pause("ann", note="Moving house") is True

    async with new_pool(database, largest=1) as other:
        found = await PostgresSettings(other).paused()
    assert found is not None
    assert replace(found, since=now) == Pause(by="ann", since=now, note="Moving house")
    assert timedelta(0) <= found.since - now < MINUTE


async def test_pausing_again_keeps_since_when_and_changes_the_note_at_most(pool: Pool) -> None:
    settings = PostgresSettings(pool)
    await settings.pause("ann", note=None)
    first = await settings.paused()
    assert first is not None
    await move(pool, MINUTE)

    assert await settings.pause("bob", note=None) is False
    assert await settings.paused() == first
    assert await settings.pause("bob", note="Fire") is False
    assert await settings.paused() == Pause(by="bob", since=first.since, note="Fire")
    assert await settings.pause("ann", note="Fire") is False
    assert await settings.paused() == Pause(by="bob", since=first.since, note="Fire")


async def test_resuming_ends_it_and_resuming_again_changes_nothing(pool: Pool) -> None:
    settings = PostgresSettings(pool)
    await settings.pause("ann", note=None)

    assert await settings.resume("bob") is True
    assert await settings.paused() is None
    assert await settings.resume("bob") is False


async def test_each_change_is_told_once_and_in_order(pool: Pool) -> None:
    settings = PostgresSettings(pool)
    for note in ("Fire", "Fire", "Flood"):
        await settings.pause("ann", note=note)
    for _ in range(2):
        await settings.resume("bob")

    assert await look(pool, TOLD) == [
        ("runtime.paused", "ann", {"by": "ann", "note": "Fire"}),
        ("runtime.resumed", "bob", {"by": "bob", "note": "Flood"}),
    ]
    assert await look(pool, "SELECT DISTINCT shard FROM ordinaut.outbox") == [(0,)]


async def test_while_it_is_paused_nothing_is_claimed(pool: Pool) -> None:
    settings, queue = PostgresSettings(pool), PostgresQueue(pool)
    [run_id] = await due_runs(pool, await a_task(pool), 1)
    await settings.pause("ann", note=None)

    assert list(await queue.claim(ANN, limit=5, lease_for=MINUTE)) == []

    await settings.resume("ann")
    [run] = await queue.claim(ANN, limit=5, lease_for=MINUTE)
    assert run.lease.run_id == run_id


async def test_while_it_is_paused_no_slot_is_taken(pool: Pool) -> None:
    def nobody(task: DueTask, now: object) -> Accounted:
        raise AssertionError(f"task {task.id} was accounted for at {now}")

    settings = PostgresSettings(pool)
    await a_task(pool, next_run_at=await PostgresTasks(pool).now())
    await settings.pause("ann", note=None)

    assert await PostgresSlots(pool).materialise(nobody, limit=5) == 0
    assert await PostgresSlots(pool).next_due_in() is None

    await settings.resume("ann")
    assert await PostgresSlots(pool).next_due_in() is not None
