"""Task definitions for tests: a schedule that nobody waits for, and the steps that matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.task import Policies, TaskDefinition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

NOTHING: Mapping[str, Any] = {"id": "nothing", "uses": "value.set", "with": {"value": 1}}


def a_definition(
    *steps: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    policies: Policies | None = None,
    expr: str = "0 8 * * *",
    timezone: str = "Europe/Chisinau",
) -> TaskDefinition:
    """A task that does these steps (default: one that computes nothing much)."""
    request = ScheduleRequest(expr=expr, kind="auto", timezone=timezone)
    return TaskDefinition(
        title="Test",
        schedule=compile_schedule(request, now=NOON),
        pipeline=list(steps or [NOTHING]),
        params=params or {},
        policies=policies or Policies(),
    )
