"""A station for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.store.pool import Pool
from tests.integration.runtime.station import Station


@pytest.fixture
def station(pool: Pool, database: str, folder: Path, clean_environment: None) -> Station:
    del clean_environment
    return Station(pool, database, folder)
