"""A web site of its own for each test."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.integration.web.site import Site, serving


@pytest.fixture
def site() -> Generator[Site]:
    with serving() as opened:
        yield opened
