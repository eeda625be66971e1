"""Runs that are sent on in PostgreSQL: what stays, what is forgotten, who is kept out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.redrive import MAY_REPEAT, AtOnce, Redrive, Repeat
from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    Parked,
    RunId,
    RunKind,
    RunState,
    StepState,
    Succeeded,
)
from ordinaut_mcp.domain.task import Overlap, Policies
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound, OrdinautError
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.redrive import PostgresRedrives
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER, a_write
from tests.doubles.definitions import a_definition
from tests.integration.store.sent_on import (
    ANN,
    DONE_A,
    EVENTS,
    FAILED_B,
    LOST,
    STEPS,
    UNKNOWN_B,
    WORK,
    WRONG,
    a_run,
    claimed,
    line,
    ordered,
    send,
    settle,
    steps_of,
)
from tests.integration.store.stored import a_task, change, due_runs, look

pytestmark = pytest.mark.anyio


async def test_a_dead_letter_is_queued_again_and_keeps_what_was_done(pool: Pool) -> None:
    run_id, lease = await a_run(pool, Failed(WRONG), DONE_A, FAILED_B)

    assert await send(pool, run_id) == Redrive(1, "b")

    assert await look(pool, WORK, id=run_id) == [
        ("queued", 1, 0, 0, lease.epoch, 1, 2, None, False)
    ]
    assert await steps_of(pool, run_id) == {"a": StepState.SUCCEEDED}
    run = await PostgresRuns(pool).get(OWNER, run_id)
    assert (run.state, run.finished_at, run.error, run.executed) == (
        RunState.QUEUED,
        None,
        None,
        None,
    )
    again = await claimed(pool)
    assert (again.lease.run_id, again.redrive, again.attempt) == (run_id, 1, 2)
    assert again.lease.epoch == lease.epoch + 1
    assert list(again.journal) == ["a"]


async def test_it_may_begin_at_an_earlier_step(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), DONE_A, FAILED_B)

    assert await send(pool, run_id, "a") == Redrive(0, "a")

    assert await steps_of(pool, run_id) == {}


async def test_each_redrive_is_told_once_and_counted(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), FAILED_B)
    await send(pool, run_id, "a")
    await settle(pool, (await claimed(pool)).lease, Failed(WRONG))
    await send(pool, run_id)

    name = f"run_{run_id}"
    assert await look(pool, EVENTS, id=run_id) == [
        ("run.queued", 2, run_id % 8, {"run": name, "redrive": 1}),
        ("run.queued", 4, run_id % 8, {"run": name, "redrive": 2}),
    ]
    counted = "SELECT redrive, events FROM ordinaut.run WHERE id = %(id)s"
    assert await look(pool, counted, id=run_id) == [(2, 4)]


async def test_whoever_held_the_run_before_is_kept_out(pool: Pool) -> None:
    run_id, before = await a_run(pool, Failed(WRONG), FAILED_B)
    await send(pool, run_id, "a")
    await claimed(pool)

    assert not await settle(pool, before, Succeeded("late"), line("a", StepState.FAILED))

    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.RUNNING
    assert await steps_of(pool, run_id) == {}


async def test_a_run_that_an_older_version_ended_goes_on_above_every_epoch_it_had(
    pool: Pool,
) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), DONE_A, FAILED_B)
    await change(pool, "UPDATE ordinaut.run SET epoch = 0 WHERE id = %(id)s", id=run_id)
    await change(pool, "UPDATE ordinaut.step SET epoch = 4 WHERE run_id = %(id)s", id=run_id)

    await send(pool, run_id)

    assert (await claimed(pool)).lease.epoch == 5


async def test_a_run_that_was_canceled_before_it_began_begins(pool: Pool) -> None:
    [run_id] = await due_runs(pool, await a_task(pool, a_definition(*STEPS)), 1)
    await PostgresCancels(pool).cancel(OWNER, run_id, reason="asked")

    assert await send(pool, run_id) == Redrive(0, "a")

    run = await PostgresRuns(pool).get(OWNER, run_id)
    assert (run.state, run.reason) == (RunState.QUEUED, None)
    assert (await claimed(pool)).lease.run_id == run_id


async def test_a_canceled_step_under_way_is_called_again_and_named(pool: Pool) -> None:
    run_id, _ = await a_run(
        pool, Cancelled("asked"), DONE_A, line("b", StepState.RUNNING, input={})
    )

    assert await send(pool, run_id) == Redrive(1, "b", ("b",))


async def test_a_parked_run_repeats_its_unknown_call_with_the_same_input(pool: Pool) -> None:
    run_id, lease = await a_run(pool, Parked(LOST), DONE_A, UNKNOWN_B)

    assert await send(pool, run_id) == Repeat("b")

    assert await look(pool, WORK, id=run_id) == [
        ("queued", 1, 0, 0, lease.epoch, 0, 2, None, False)
    ]
    again = await claimed(pool)
    step = again.journal["b"]
    assert (again.redrive, again.attempt) == (0, 2)
    assert (step.state, step.input, step.error) == (StepState.RUNNING, {"text": "b"}, MAY_REPEAT)
    assert MAY_REPEAT["repeat"] is True
    assert await look(pool, EVENTS, id=run_id) == [
        ("run.queued", 2, run_id % 8, {"run": f"run_{run_id}", "redrive": 0})
    ]


async def test_a_parked_run_with_a_step_to_begin_at_forgets_the_unknown_call(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Parked(LOST), DONE_A, UNKNOWN_B)

    assert await send(pool, run_id, "b") == Redrive(1, "b", ("b",))

    again = await claimed(pool)
    assert (again.redrive, list(again.journal)) == (1, ["a"])
    assert await look(pool, "SELECT redrive FROM ordinaut.run WHERE id = %(id)s", id=run_id) == [
        (1,)
    ]


async def test_a_retrying_run_is_tried_at_once_and_nothing_else_changes(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG, 200.0), FAILED_B)
    before = await look(pool, WORK, id=run_id)
    assert await PostgresQueue(pool).claim(ANN, limit=1, lease_for=timedelta(seconds=30)) == ()

    assert await send(pool, run_id) == AtOnce()

    assert await look(pool, WORK, id=run_id) == before
    again = await claimed(pool)
    assert (again.failures, again.redrive) == (1, 0)


async def test_a_retrying_run_that_begins_elsewhere_gives_its_permit_back(pool: Pool) -> None:
    limited = a_definition(*STEPS, policies=Policies(max_concurrent=1))
    task = await a_task(pool, limited)
    run_id = await ordered(pool, task)
    lease = (await claimed(pool)).lease
    await settle(pool, lease, Failed(WRONG, 200.0), FAILED_B)
    held = "SELECT place, run_id FROM ordinaut.permit"
    assert await look(pool, held) == [(1, run_id)]

    assert await send(pool, run_id, "a") == Redrive(0, "a")

    assert await look(pool, held) == [(1, None)]
    assert await look(pool, WORK, id=run_id) == [("queued", 1, 0, 0, 1, 1, 2, None, True)]
    assert (await claimed(pool)).lease.run_id == run_id
    assert await look(pool, held) == [(1, run_id)]


async def test_a_dead_letter_is_held_to_the_rules_that_its_task_has_today(pool: Pool) -> None:
    task = await a_task(pool, a_definition(*STEPS, policies=Policies(overlap=Overlap.ALLOW)))
    run_id = await ordered(pool, task, RunKind.SCHEDULE)
    await settle(pool, (await claimed(pool)).lease, Failed(WRONG))
    today = Policies(priority=9, concurrency_key="mail", max_concurrent=2)
    write = a_write(a_definition(STEPS[0], policies=today))
    await PostgresTasks(pool).edit(OWNER, task.name, decide=lambda _, __: write)

    await send(pool, run_id)

    asked = """
        SELECT priority, serial, generation, concurrency_key, max_concurrent, needs_permit
        FROM ordinaut.due_work
    """
    assert await look(pool, asked) == [(9, True, 1, "key:mail", 2, True)]
    places = "SELECT key, place FROM ordinaut.permit ORDER BY place"
    assert await look(pool, places) == [("key:mail", 1), ("key:mail", 2)]
    # It keeps the revision that it began with.
    assert [step["id"] for step in (await claimed(pool)).definition["pipeline"]] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [RunKind.MANUAL, RunKind.BACKFILL])
async def test_what_was_ordered_by_hand_stands_in_no_line(pool: Pool, kind: RunKind) -> None:
    run_id = await ordered(pool, await a_task(pool), kind)
    await settle(pool, (await claimed(pool)).lease, Failed(WRONG))

    await send(pool, run_id)

    assert await look(pool, "SELECT serial FROM ordinaut.due_work") == [(False,)]


async def test_what_may_not_be_sent_on_stays_as_it_is(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Succeeded(1), DONE_A)
    whole = "SELECT * FROM ordinaut.run"
    before = await look(pool, whole)

    with pytest.raises(Conflict, match="has succeeded"):
        await send(pool, run_id)

    assert await look(pool, whole) == before
    assert await look(pool, WORK, id=run_id) == []


async def test_a_wrong_step_changes_nothing(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), DONE_A, FAILED_B)

    with pytest.raises(InvalidInput, match="cannot begin at 'c'"):
        await send(pool, run_id, "c")

    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.FAILED
    assert await look(pool, EVENTS, id=run_id) == []


async def test_a_run_of_another_or_of_nobody_is_not_found(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG))

    for owner, number in (("eve", run_id), (OWNER, RunId(10**9))):
        with pytest.raises(NotFound):
            await send(pool, number, owner=owner)

    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.FAILED


async def test_the_params_of_a_run_stay_its_own(pool: Pool) -> None:
    task = await a_task(pool)
    now = await PostgresTasks(pool).now()
    wanted = NewRun(
        slot_key="manual:x",
        kind=RunKind.MANUAL,
        scheduled_for=now,
        due_at=now,
        priority=5,
        params={"n": 1},
    )
    run_id = (await PostgresRuns(pool).order(task, wanted)).run_id
    first = await claimed(pool)
    await settle(pool, first.lease, Failed(WRONG))

    await send(pool, run_id)

    again = await claimed(pool)
    assert replace(again, lease=first.lease, attempt=1, redrive=0) == first
    assert again.params == {"n": 1}


async def test_a_decision_that_does_not_fit_the_run_writes_nothing(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), FAILED_B)

    with pytest.raises(OrdinautError, match="could not be sent on"):
        await PostgresRedrives(pool).send(OWNER, run_id, decide=lambda _: AtOnce())

    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.FAILED
