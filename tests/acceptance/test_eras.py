"""Clients of both protocol eras speak to one and the same stdio server."""

from __future__ import annotations

import pytest

from tests.acceptance.product import Product
from tests.acceptance.session import Era
from tests.acceptance.tasks import task


@pytest.mark.parametrize(("era", "protocol"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_a_client_of_either_era_schedules_and_looks_up(
    product: Product, key: str, era: Era, protocol: str
) -> None:
    with product.session(era=era) as session:
        assert session.protocol == protocol
        assert "schedule_task" in {tool.name for tool in session.tools()}
        assert session.call("schedule_task", **task(key=key))["created"] is True
        run = session.call("run_now", task=key, wait_seconds=20)["run"]
        assert (run["state"], run["output"]) == ("succeeded", 1)
        assert session.refused("get_task", task="nobody")["code"] == "not_found"


def test_what_one_era_stored_the_other_sees(product: Product, key: str) -> None:
    with product.session(era="legacy") as old, product.session(era="auto") as new:
        stored = old.call("schedule_task", **task(key=key))["task"]
        assert new.call("get_task", task=key)["task"] == stored
        assert [tool.name for tool in old.tools()] == [tool.name for tool in new.tools()]
