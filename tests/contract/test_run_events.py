"""The outbox, on PostgreSQL: each way that a run can go is told, without gap, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, LiteralString

import pytest

from ordinaut_mcp.domain.redrive import AtOnce, Redrive, Repeat, Sending
from ordinaut_mcp.domain.run import Cancelled, Failed, Outcome, Parked, Released, RunId, Succeeded
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.redrive import PostgresRedrives
from tests.contract.asking import TOO_LATE, WRONG, the_lease
from tests.contract.worlds import OWNER, PostgresWorld
from tests.leasing import settled

pytestmark = pytest.mark.anyio

Deed = Callable[[PostgresWorld, RunId], Awaitable[object]]

TOLD: Final[LiteralString] = """
    SELECT o.sequence, o.topic, o.shard, o.owner, o.task_id = r.task_id AS is_of_task, o.data,
           r.events
    FROM ordinaut.outbox o JOIN ordinaut.run r ON r.id = o.run_id
    WHERE o.run_id = %(run)s ORDER BY o.id
"""
COUNTED: Final[LiteralString] = """
    SELECT coalesce(d.events, r.events) AS events
    FROM ordinaut.run r LEFT JOIN ordinaut.due_work d ON d.run_id = r.id WHERE r.id = %(run)s
"""


def ends(outcome: Outcome) -> Deed:
    """One attempt that ends so."""

    async def deed(world: PostgresWorld, _: RunId) -> None:
        assert await settled(world.queue, await the_lease(world), outcome)

    return deed


def is_canceled_while_it_runs(outcome: Outcome | None) -> Deed:
    """Somebody wants its end in the middle of an attempt that ends so; None: its worker dies."""

    async def deed(world: PostgresWorld, run: RunId) -> None:
        lease = await the_lease(world)
        await world.cancels.cancel(OWNER, run, reason="asked")
        if outcome:
            assert await settled(world.queue, lease, outcome)
        else:
            await world.move(TOO_LATE)
            assert await world.queue.reap(crashes_allowed=3) == 1

    return deed


def crashes(allowed: int = 3) -> Deed:
    """Its worker dies."""

    async def deed(world: PostgresWorld, _: RunId) -> None:
        await the_lease(world)
        await world.move(TOO_LATE)
        assert await world.queue.reap(crashes_allowed=allowed) == 1
        await world.move(TOO_LATE)

    return deed


async def canceled(world: PostgresWorld, run: RunId) -> None:
    await world.cancels.cancel(OWNER, run, reason="asked")


def is_sent(decided: Sending) -> Deed:
    """Somebody sends it on."""

    async def deed(world: PostgresWorld, run: RunId) -> None:
        await PostgresRedrives(world.pool).send(OWNER, run, decide=lambda _: decided)

    return deed


WELL, AGAIN = Succeeded(1), Failed(WRONG, 0.0)
FROM_START = Redrive(0, None)
WAYS: Final[list[tuple[list[Deed], list[str]]]] = [
    ([], []),
    ([ends(WELL)], ["succeeded"]),
    ([ends(Failed(WRONG))], ["failed"]),
    ([ends(AGAIN), ends(AGAIN), ends(WELL)], ["retrying", "retrying", "succeeded"]),
    ([ends(Released()), ends(WELL)], ["succeeded"]),
    ([ends(Parked(WRONG)), canceled], ["waiting", "canceled"]),
    ([ends(Cancelled("asked"))], ["canceled"]),
    ([canceled, canceled], ["canceled"]),
    ([ends(AGAIN), canceled], ["retrying", "canceled"]),
    ([is_canceled_while_it_runs(Cancelled("asked"))], ["canceled"]),
    ([is_canceled_while_it_runs(AGAIN)], ["canceled"]),
    ([is_canceled_while_it_runs(Parked(WRONG))], ["canceled"]),
    ([is_canceled_while_it_runs(WELL)], ["succeeded"]),
    ([is_canceled_while_it_runs(None)], ["canceled"]),
    ([crashes(), crashes(), crashes()], ["retrying", "retrying", "failed"]),
    ([crashes(), ends(WELL)], ["retrying", "succeeded"]),
    ([ends(Failed(WRONG)), is_sent(FROM_START), ends(WELL)], ["failed", "queued", "succeeded"]),
    ([canceled, is_sent(FROM_START), ends(WELL)], ["canceled", "queued", "succeeded"]),
    ([ends(Parked(WRONG)), is_sent(Repeat(None)), ends(WELL)], ["waiting", "queued", "succeeded"]),
    ([ends(Parked(WRONG)), is_sent(FROM_START), canceled], ["waiting", "queued", "canceled"]),
    ([ends(AGAIN), is_sent(FROM_START), ends(AGAIN)], ["retrying", "queued", "retrying"]),
    ([ends(Failed(WRONG, 60.0)), is_sent(AtOnce()), ends(WELL)], ["retrying", "succeeded"]),
]


@pytest.fixture
async def world(pool: Pool) -> AsyncGenerator[PostgresWorld, None]:
    real = PostgresWorld(pool)
    yield real
    real.keeper.close()


async def told(world: PostgresWorld, run: RunId) -> list[dict[str, Any]]:
    async with world.pool.connection() as connection:
        return await (await connection.execute(TOLD, {"run": run})).fetchall()


@pytest.mark.parametrize(
    ("deeds", "topics"),
    WAYS,
    ids=[f"{number}-{'-'.join(topics)}" for number, (_, topics) in enumerate(WAYS)],
)
async def test_each_way_of_a_run_is_told_in_order_and_without_gap(
    world: PostgresWorld, deeds: list[Deed], topics: list[str]
) -> None:
    run = await world.add()
    for deed in deeds:
        await deed(world, run)

    events = await told(world, run)
    async with world.pool.connection() as connection:
        [counted] = await (await connection.execute(COUNTED, {"run": run})).fetchall()

    assert [event["topic"] for event in events] == [f"run.{topic}" for topic in topics]
    assert [event["sequence"] for event in events] == list(range(1, len(topics) + 1))
    assert counted["events"] == len(topics)
    assert all(event["shard"] == run % 8 and event["is_of_task"] for event in events)


async def test_an_event_tells_why_and_which_attempt_in_short(world: PostgresWorld) -> None:
    run = await world.add()
    error = {"code": "tool_error", "message": "x" * 9000, "step": "a", "secret": "s"}
    await ends(Failed(error, 0.0))(world, run)
    await ends(WELL)(world, run)

    retrying, succeeded = await told(world, run)

    assert retrying["data"] == {
        "attempt": 1,
        "error": {"code": "tool_error", "message": "x" * 500, "step": "a"},
    }
    assert succeeded["data"] == {"attempt": 2}


async def test_events_of_one_batch_are_each_runs_own(world: PostgresWorld) -> None:
    runs = [await world.add() for _ in range(20)]
    for run in runs:
        await world.cancels.cancel(OWNER, run, reason="asked")

    assert [[event["sequence"] for event in await told(world, run)] for run in runs] == [[1]] * 20
