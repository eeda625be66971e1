"""Each test of a port runs in both worlds."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from ordinaut_mcp.store.pool import new_pool
from tests.contract.worlds import MemoryWorld, PostgresWorld, World


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncGenerator[World, None]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with new_pool(request.getfixturevalue("database"), largest=4) as pool:
        real = PostgresWorld(pool)
        yield real
        real.keeper.close()
