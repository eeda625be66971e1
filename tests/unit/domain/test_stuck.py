"""A schedule that cannot be computed any more is shown as what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ordinaut_mcp.domain.schedule import Kind, Schedule
from ordinaut_mcp.domain.stuck import StuckSchedule, computable, read_schedule
from ordinaut_mcp.errors import Conflict

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
STORED: dict[str, Any] = {
    "kind": "cron",
    "expr": "0 9 * * *",
    "timezone": "Europe/Atlantis",
    "gap": "shift",
    "start_at": "2026-11-01T00:00",
}


def stuck() -> StuckSchedule:
    found = read_schedule(STORED)
    assert isinstance(found, StuckSchedule)
    return found


def test_a_zone_that_is_known_is_computed() -> None:
    schedule = read_schedule({**STORED, "timezone": "Europe/Chisinau"})
    assert isinstance(schedule, Schedule)
    assert computable(schedule) is schedule


def test_it_says_what_was_stored() -> None:
    found = stuck()
    assert (found.kind, found.expr, found.timezone) == (Kind.CRON, "0 9 * * *", "Europe/Atlantis")
    assert found.start_at is None
    assert found.to_dict() == STORED


def test_it_names_no_slot_and_says_why() -> None:
    found = stuck()
    assert list(found.slots_after(NOW)) == []
    assert found.describe().startswith("'0 9 * * *' cannot be computed: There is no time zone")
    assert found.warnings(NOW) == [found.describe()]


def test_it_is_never_computed_and_the_refusal_says_what_mends_it() -> None:
    with pytest.raises(Conflict) as refused:
        computable(stuck())
    assert refused.value.message == stuck().describe()
    assert refused.value.hint == "Give the task a zone that exists: update_task with timezone."


def test_an_expression_that_cannot_be_read_any_more_is_stuck_as_well() -> None:
    found = read_schedule({**STORED, "timezone": "UTC", "expr": "0 9 * *"})
    assert isinstance(found, StuckSchedule)
