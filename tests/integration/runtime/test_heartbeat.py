"""The heartbeat over its own connection to a real PostgreSQL."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final, LiteralString

import anyio
import psycopg
import pytest
from anyio import to_thread

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.heartbeat import Heartbeat
from ordinaut_mcp.runtime.leases import Leases
from ordinaut_mcp.store.heartbeat import PostgresLeaseKeeper
from ordinaut_mcp.store.pool import Pool, row, rows
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.queue import PostgresQueue
from tests.contract.worlds import PostgresWorld
from tests.integration.runtime.station import until

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
BELONGS: Final[LiteralString] = """
    SELECT p.backend_pid, p.backend_started_at, p.heartbeat_at - p.started_at AS beaten,
           a.application_name, a.backend_start
    FROM ordinaut.process p LEFT JOIN pg_stat_activity a ON a.pid = p.backend_pid
    WHERE p.id = %(process)s
"""
CUT: Final[LiteralString] = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ordinaut heartbeat' AND datname = current_database()
"""


async def a_process(pool: Pool) -> ProcessId:
    return await PostgresProcesses(pool).register(roles=["worker"], version="1", tzdata="1")


async def backend_of(pool: Pool, process: ProcessId) -> int | None:
    """The server process that is registered for the heartbeat."""
    async with pool.connection() as connection:
        found = await row(connection, BELONGS, {"process": process})
    assert found is not None
    return found["backend_pid"]


async def cut(pool: Pool) -> int:
    """End the connections of heartbeats; how many it were."""
    async with pool.connection() as connection:
        return len(await rows(connection, CUT))


@asynccontextmanager
async def beating(database: str, process: ProcessId) -> AsyncGenerator[None, None]:
    heartbeat = Heartbeat(process, PostgresLeaseKeeper(database), Leases(), lease_for=HOUR)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            await tasks.start(heartbeat.run)
            yield
            tasks.cancel_scope.cancel()


async def test_the_connection_of_the_heartbeat_is_known_by_its_server_process(
    pool: Pool, database: str
) -> None:
    process = await a_process(pool)
    async with beating(database, process), pool.connection() as connection:
        found = await row(connection, BELONGS, {"process": process})

    assert found is not None
    assert found["application_name"] == "ordinaut heartbeat"
    assert found["backend_started_at"] == found["backend_start"]
    assert found["beaten"] > timedelta(0)


async def test_a_connection_that_was_cut_is_back_long_before_the_next_beat_is_due(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing but the end of the connection wakes it.
    monkeypatch.setattr("ordinaut_mcp.runtime.heartbeat.BEAT", HOUR)
    process = await a_process(pool)
    async with beating(database, process):
        first = await backend_of(pool, process)
        assert await cut(pool) == 1

        async def look() -> int | None:
            found = await backend_of(pool, process)
            return None if found == first else found

        second = await until(look, seconds=15)

    assert first is not None
    assert second != first


async def test_a_process_that_is_back_is_not_among_those_cut_off(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.heartbeat.BEAT", HOUR)
    world = PostgresWorld(pool)
    process, queue = await a_process(pool), PostgresQueue(pool)
    await world.add()
    async with beating(database, process):
        assert len(await queue.claim(process, limit=1, lease_for=HOUR)) == 1
        assert await queue.cut_off() == set()
        first = await backend_of(pool, process)
        await cut(pool)

        async def look() -> bool | None:
            return await backend_of(pool, process) != first or None

        await until(look, seconds=15)
        assert await queue.cut_off() == set()

    async def gone() -> set[ProcessId] | None:
        return await queue.cut_off() or None

    # Only its end cuts it off.
    assert await until(gone, seconds=15) == {process}
    world.keeper.close()


async def test_behind_a_pooler_no_server_process_is_taken_for_its_own(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A pooler makes up the pid that it tells its clients.
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda _: 1))
    world = PostgresWorld(pool)
    process, queue = await a_process(pool), PostgresQueue(pool)
    await world.add()
    async with beating(database, process):
        await queue.claim(process, limit=1, lease_for=HOUR)
        async with pool.connection() as connection:
            found = await row(connection, BELONGS, {"process": process})

    assert found is not None
    assert (found["backend_pid"], found["backend_started_at"]) == (None, None)
    assert found["beaten"] > timedelta(0)
    # Nothing is read off the end of such a connection: the lease has to end.
    assert await queue.cut_off() == set()
    world.keeper.close()


async def test_a_database_that_is_not_there_is_told_as_such_and_found_when_it_comes(
    pool: Pool, database: str
) -> None:
    process = await a_process(pool)
    keeper = PostgresLeaseKeeper(database)
    beat = partial(keeper.beat, process, [], lease_for=HOUR)
    with anyio.fail_after(30):
        assert await to_thread.run_sync(beat) == set()
        first = await backend_of(pool, process)
        await cut(pool)
        # The end may have been heard in a rest, or is found by the question itself.
        with pytest.raises(Unavailable):
            await to_thread.run_sync(beat)
        assert await to_thread.run_sync(beat) == set()

    assert await backend_of(pool, process) != first
    keeper.close()


async def test_a_rest_ends_by_itself_by_a_word_and_by_the_end_of_the_connection(
    pool: Pool, database: str
) -> None:
    process = await a_process(pool)
    keeper = PostgresLeaseKeeper(database)
    rest = partial(to_thread.run_sync, keeper.rest)
    with anyio.fail_after(30):
        await rest(0.01)
        keeper.wake()
        await rest(60)
        await to_thread.run_sync(partial(keeper.beat, process, [], lease_for=HOUR))
        await rest(0.01)
        await cut(pool)
        await rest(60)
        await to_thread.run_sync(partial(keeper.beat, process, [], lease_for=HOUR))
        second = await backend_of(pool, process)
        keeper.wake()
        await rest(60)
        keeper.close()

    # What is closed has nothing to wake.
    keeper.wake()
    assert second is not None


async def test_a_rest_is_one_however_many_files_the_process_has_open(
    pool: Pool, database: str
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    process = await a_process(pool)
    keeper = PostgresLeaseKeeper(database)
    with ExitStack() as many:
        for _ in range(1100):
            many.callback(os.close, os.dup(0))
        many.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        many.callback(keeper.close)
        await to_thread.run_sync(partial(keeper.beat, process, [], lease_for=HOUR))
        await to_thread.run_sync(keeper.rest, 0.01)

    assert await backend_of(pool, process) is not None
