"""Tasks and runs that several callers make and change at the same moment."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from ordinaut_mcp.domain.decision import NewRun, TaskWrite
from ordinaut_mcp.domain.run import RunId, RunKind
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.errors import NotFound, OrdinautError
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER, a_write
from tests.doubles.definitions import NOON, a_definition
from tests.integration.store.stored import a_task, look

pytestmark = pytest.mark.anyio

WRITE = a_write(a_definition())


async def test_one_key_asked_for_at_the_same_moment_makes_one_task(pool: Pool) -> None:
    tasks, made = PostgresTasks(pool), list[Task]()

    async def put(number: int) -> None:
        write = replace(WRITE, title=f"Number {number}")
        made.append(await tasks.put(OWNER, key="same", decide=lambda _, __: write))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers:
            for number in range(8):
                callers.start_soon(put, number)

    assert len({task.id for task in made}) == 1
    assert sorted(task.generation for task in made) == list(range(1, 9))
    assert await look(pool, "SELECT count(*) FROM ordinaut.task") == [(1,)]


async def test_edits_at_the_same_moment_see_one_another(pool: Pool) -> None:
    tasks, task = PostgresTasks(pool), await a_task(pool)

    def with_one_more_tag(before: Task | None, _: object) -> TaskWrite:
        tags = before.tags if before else ()
        return replace(WRITE, tags=[*tags, f"tag-{len(tags)}"])

    async def edit() -> None:
        await tasks.edit(OWNER, task.name, decide=with_one_more_tag)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers:
            for _ in range(6):
                callers.start_soon(edit)

    assert (await tasks.get(OWNER, task.name)).tags == tuple(f"tag-{n}" for n in range(6))


async def test_one_order_given_at_the_same_moment_makes_one_run(pool: Pool) -> None:
    runs, task, ordered = PostgresRuns(pool), await a_task(pool), list[tuple[RunId, bool]]()
    wanted = NewRun(
        slot_key="manual:same", kind=RunKind.MANUAL, scheduled_for=NOON, due_at=NOON, priority=5
    )

    async def order() -> None:
        found = await runs.order(task, wanted)
        ordered.append((found.run_id, found.made))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers:
            for _ in range(8):
                callers.start_soon(order)

    assert len({run_id for run_id, _ in ordered}) == 1
    assert sum(made for _, made in ordered) == 1


async def test_each_method_sees_the_tasks_of_its_owner_only(pool: Pool) -> None:
    tasks, task = PostgresTasks(pool), await a_task(pool)

    for reference in (task.name, "task_999", "no-such-key"):
        with pytest.raises(NotFound):
            await tasks.get("eve", reference)
        with pytest.raises(NotFound):
            await tasks.edit("eve", reference, decide=lambda _, __: WRITE)
        with pytest.raises(NotFound):
            await tasks.set_status("eve", reference, decide=lambda _, __: None)

    assert (await tasks.get(OWNER, task.name)).generation == 1


async def test_a_decision_that_fails_leaves_nothing_behind(pool: Pool) -> None:
    tasks = PostgresTasks(pool)

    with pytest.raises(OrdinautError, match="needs a definition"):
        await tasks.put(OWNER, key="k", decide=lambda _, __: None)

    assert await look(pool, "SELECT count(*) FROM ordinaut.task") == [(0,)]
    assert await look(pool, "SELECT count(*) FROM ordinaut.agent") == [(0,)]
