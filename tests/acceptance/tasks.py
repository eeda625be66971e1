"""Tasks that tests store: what they do is cheap, and when is far away unless said."""

from __future__ import annotations

from typing import Any

FAR = "2031-03-01T09:00"
"""Local time of a `once` that no test lives to see."""


def value_step(value: Any = 1, step: str = "a") -> dict[str, Any]:
    """A step that gives back a value."""
    return {"id": step, "uses": "value.set", "with": {"value": value}}


def task(**changes: Any) -> dict[str, Any]:
    """The arguments of `schedule_task` for a task that does next to nothing."""
    plain: dict[str, Any] = {"title": "Probe", "schedule_expr": FAR, "pipeline": [value_step()]}
    return {**plain, **changes}
