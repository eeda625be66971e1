"""The doorbell between processes: heard when somebody listens, never in the way."""

from __future__ import annotations

import anyio
import psycopg
import pytest

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.store.bell import PostgresBell, listening
from ordinaut_mcp.store.pool import Pool, new_pool

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ordinaut bell' AND datname = current_database()
"""


async def test_rings_are_heard_in_order(pool: Pool, database: str) -> None:
    bell = PostgresBell(pool)
    with anyio.fail_after(10):
        async with listening(database) as rings:
            await bell.ring("work")
            await bell.ring("slots")
            heard = [await anext(rings), await anext(rings)]
            await rings.aclose()

    assert heard == ["work", "slots"]


async def test_a_listener_whose_connection_is_cut_is_told(database: str) -> None:
    with anyio.fail_after(10):
        async with listening(database) as rings:
            with psycopg.connect(database) as admin:
                assert admin.execute(CUT).fetchall() == [(True,)]
            with pytest.raises(Unavailable):
                await anext(rings)


async def test_listening_to_a_database_that_is_away_is_unavailable() -> None:
    with anyio.fail_after(10), pytest.raises(Unavailable):
        async with listening(NOWHERE):
            pass


async def test_a_ring_that_nobody_can_carry_is_lost_without_harm() -> None:
    async with new_pool(NOWHERE) as pool:
        pool.timeout = 0.2
        with anyio.fail_after(10):
            await PostgresBell(pool).ring("work")

    assert pool.closed
