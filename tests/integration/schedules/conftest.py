"""A world for each test: a fresh database whose clock stands still until it is set."""

from __future__ import annotations

import pytest

from ordinaut_mcp.store.pool import Pool
from tests.integration.schedules.world import FREEZE, World, new_world


@pytest.fixture
async def world(pool: Pool, clean_environment: None) -> World:
    del clean_environment
    async with pool.connection() as connection:
        await connection.execute(FREEZE)
    return new_world(pool)
