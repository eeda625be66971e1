"""The circuit breaker: a task whose last runs all failed is paused, once, and told of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.pausing import resume
from ordinaut_mcp.domain.run import Failed, Outcome, ProcessId, Succeeded
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER
from tests.integration.store.stored import a_task, due_runs, look
from tests.leasing import settled
from tests.moving import move

pytestmark = pytest.mark.anyio

BROKEN = Failed({"code": "tool_error", "message": "It went wrong."})
DONE = Succeeded(1)
AGAIN = Failed({"code": "tool_error", "message": "It went wrong."}, 0.0)
ME, MINUTE = ProcessId(1), timedelta(minutes=1)
TOLD = "SELECT topic, task_id, data ->> 'note' FROM ordinaut.outbox WHERE topic = 'task.paused'"


async def end(pool: Pool, task: Task, *outcomes: Outcome, allowed: int | None = 3) -> Task:
    """Let runs of the task end so, one after the other; the task as it is then."""
    queue = PostgresQueue(pool, failures_allowed=allowed)
    for outcome in outcomes:
        await move(pool, MINUTE)
        await due_runs(pool, task, 1)
        [run] = await queue.claim(ME, limit=1, lease_for=MINUTE)
        assert await settled(queue, run.lease, outcome)
    return await PostgresTasks(pool).get(OWNER, task.name)


async def test_failures_in_a_row_pause_the_task_with_a_note_and_one_event(pool: Pool) -> None:
    task = await a_task(pool)

    assert (await end(pool, task, BROKEN, BROKEN)).status is TaskStatus.ACTIVE
    paused = await end(pool, task, BROKEN)

    assert paused.status is TaskStatus.PAUSED
    assert paused.note == (
        "Paused by Ordinaut: 3 runs in a row failed, the last one with tool_error."
        " Mend what is wrong, then call resume_task."
    )
    assert await look(pool, TOLD) == [("task.paused", task.id, paused.note)]

    await end(pool, task, BROKEN)
    assert len(await look(pool, TOLD)) == 1


async def test_a_success_in_between_begins_the_count_anew(pool: Pool) -> None:
    task = await a_task(pool)

    task = await end(pool, task, BROKEN, BROKEN, DONE, BROKEN, BROKEN)

    assert task.status is TaskStatus.ACTIVE


async def test_attempts_that_are_tried_again_do_not_count(pool: Pool) -> None:
    task = await a_task(pool)

    task = await end(pool, task, AGAIN, allowed=1)

    assert task.status is TaskStatus.ACTIVE


async def test_a_resumed_task_has_as_many_failures_before_it_again(pool: Pool) -> None:
    task = await a_task(pool)
    await end(pool, task, BROKEN, BROKEN, BROKEN)
    await move(pool, MINUTE)
    tasks = PostgresTasks(pool)
    await tasks.set_status(OWNER, task.name, decide=resume)

    assert (await end(pool, task, BROKEN, BROKEN)).status is TaskStatus.ACTIVE
    assert (await end(pool, task, BROKEN)).status is TaskStatus.PAUSED


async def test_without_a_limit_nothing_is_paused(pool: Pool) -> None:
    task = await a_task(pool)

    task = await end(pool, task, *[BROKEN] * 5, allowed=None)

    assert task.status is TaskStatus.ACTIVE
