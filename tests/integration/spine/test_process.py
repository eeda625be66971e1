"""The role of a production process: it needs a Redis, and publishes while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.app.process import RuntimeProcess
from ordinaut_mcp.config import Settings
from ordinaut_mcp.errors import InvalidInput
from tests.integration.spine.scene import Scene, in_order

pytestmark = pytest.mark.anyio


async def test_a_process_that_is_a_relay_publishes(
    scene: Scene, database: str, valkey: str, folder: Path, clean_environment: None
) -> None:
    del clean_environment
    await scene.tell(8, 1, 3)
    settings = Settings(home=folder, redis_url=valkey)
    async with RuntimeProcess(settings, database, ["relay"]).running():
        found = await scene.all_published(3)

    assert in_order(found) == {8: [1, 2, 3]}


async def test_a_relay_without_a_redis_is_refused(
    database: str, folder: Path, clean_environment: None
) -> None:
    del clean_environment
    with pytest.raises(InvalidInput) as caught:
        async with RuntimeProcess(Settings(home=folder), database, ["relay"]).running():
            pytest.fail("it runs")

    assert caught.value.field == "ORDINAUT_REDIS_URL"
