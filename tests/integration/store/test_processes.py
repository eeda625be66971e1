"""Who is alive, how much work there is, what tool servers offer, and the months to come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.run import Parked, ProcessId, Succeeded
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolHints, ToolSpec
from ordinaut_mcp.ports import Depth
from ordinaut_mcp.store.catalog import PostgresCatalog
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.queue import PostgresQueue
from tests.integration.store.stored import a_task, due_runs, look
from tests.leasing import settled
from tests.moving import move

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
MONTHS = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'ordinaut' AND c.relname ~ '^(run|step)_[0-9]{4}_[0-9]{2}$'
"""
WHERE = "SELECT c.relname FROM ordinaut.run r JOIN pg_class c ON c.oid = r.tableoid ORDER BY r.id"


async def test_a_process_is_alive_while_it_beats(pool: Pool) -> None:
    processes = PostgresProcesses(pool)
    first = await processes.register(roles=["worker"], version="1.0", tzdata="2026f")
    second = await processes.register(roles=["scheduler"], version="1.0", tzdata="2026f")
    assert second > first
    await move(pool, MINUTE)

    await processes.beat(second)

    [alive] = await processes.alive(within=MINUTE / 2)
    assert (alive.id, alive.roles, alive.version, alive.tzdata) == (
        second,
        ("scheduler",),
        "1.0",
        "2026f",
    )
    assert alive.heartbeat_age < MINUTE / 2


async def test_a_process_that_left_is_not_alive(pool: Pool) -> None:
    processes = PostgresProcesses(pool)
    process = await processes.register(roles=["worker"], version="1", tzdata="2026f")

    await processes.leave(process)

    assert await processes.alive(within=MINUTE) == []


async def test_the_depth_tells_the_states_of_unfinished_work(pool: Pool) -> None:
    processes, queue = PostgresProcesses(pool), PostgresQueue(pool)
    assert await processes.depth() == Depth(
        queued=0, running=0, retrying=0, waiting=0, oldest_overdue=None
    )
    await due_runs(pool, await a_task(pool), 4)
    first, second, _ = await queue.claim(ProcessId(1), limit=3, lease_for=MINUTE)
    await settled(queue, first.lease, Parked({"code": "outcome_unknown"}))
    await settled(queue, second.lease, Succeeded(None))
    await move(pool, 5 * MINUTE)

    depth = await processes.depth()

    assert (depth.queued, depth.running, depth.retrying, depth.waiting) == (1, 1, 0, 1)
    assert depth.oldest_overdue is not None
    assert 5 * MINUTE <= depth.oldest_overdue < 6 * MINUTE


async def test_the_months_to_come_get_their_partitions_once(pool: Pool) -> None:
    processes = PostgresProcesses(pool)
    [(made,)] = await look(pool, MONTHS)

    await processes.keep_partitions()
    assert await look(pool, MONTHS) == [(made,)]

    await move(pool, timedelta(days=31))
    await processes.keep_partitions()
    await processes.keep_partitions()
    assert await look(pool, MONTHS) == [(made + 2,)]


async def test_a_month_without_a_partition_falls_into_the_default_and_can_finish(
    pool: Pool,
) -> None:
    task = await a_task(pool)
    await move(pool, timedelta(days=400))
    await due_runs(pool, task, 1)
    assert await look(pool, WHERE) == [("run_default",)]

    await PostgresProcesses(pool).keep_partitions()
    [run] = await PostgresQueue(pool).claim(ProcessId(1), limit=1, lease_for=MINUTE)
    assert await settled(PostgresQueue(pool), run.lease, Succeeded(None))

    # What is there stays there; the months after it have tables of their own.
    assert await look(pool, WHERE) == [("run_default",)]
    await move(pool, timedelta(days=62))
    await due_runs(pool, task, 1)
    [_, (second,)] = await look(pool, WHERE)
    assert second != "run_default"


def a_tool(name: str, **more: object) -> ToolSpec:
    return ToolSpec(server="echo", name=name, description=f"{name}s", digest="d", **more)  # pyright: ignore[reportArgumentType]


READY = ServerStatus(server="echo", state=ServerState.READY)
FAILED = ServerStatus(server="echo", state=ServerState.FAILED, error="it does not start")


async def test_the_catalog_is_kept_as_it_was_found(pool: Pool) -> None:
    catalog = PostgresCatalog(pool)
    say = a_tool("say", output_schema={"type": "object"}, hints=ToolHints(read_only=True))
    add = a_tool("add", input_schema={"type": "object", "required": ["a"]})

    await catalog.save(READY, [say, add])

    assert await catalog.load() == ([READY], [add, say])


async def test_a_changed_catalog_takes_the_place_of_the_former(pool: Pool) -> None:
    catalog = PostgresCatalog(pool)
    await catalog.save(READY, [a_tool("say"), a_tool("add")])
    louder = a_tool("say", input_schema={"type": "object", "required": ["loud"]})

    await catalog.save(READY, [louder])

    assert await catalog.load() == ([READY], [louder])


async def test_a_server_that_failed_keeps_the_tools_it_had(pool: Pool) -> None:
    catalog = PostgresCatalog(pool)
    await catalog.save(READY, [a_tool("say")])

    await catalog.save(FAILED, [])

    assert await catalog.load() == ([FAILED], [a_tool("say")])


async def test_servers_that_are_no_longer_named_are_forgotten_with_their_tools(pool: Pool) -> None:
    catalog = PostgresCatalog(pool)
    await catalog.save(READY, [a_tool("say")])

    await catalog.keep_only(["other"])

    assert await catalog.load() == ([], [])
