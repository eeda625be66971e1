"""The case files of tests/cases, and the generators that stand in them for long texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[2] / "cases"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def recurrence_cases() -> list[dict[str, Any]]:
    """Next occurrences by rule, cron, interval and single time."""
    return json.loads((CASES / "recurrence.json").read_text(encoding="utf-8"))["cases"]


def bad_schedules() -> list[dict[str, Any]]:
    """Hostile and mistaken schedules and zones, and some that must be taken."""
    cases = json.loads((CASES / "bad_inputs.json").read_text(encoding="utf-8"))
    return [
        case
        for case in cases
        if case["surface"].startswith("schedule.") or case["surface"] == "timezone"
    ]


def generated(value: Any) -> Any:
    """The value that a generator such as `{"$repeat": ["x", 9]}` stands for."""
    match value:
        case {"$repeat": [text, count]}:
            return text * count
        case {"$cat": [*parts]}:
            return "".join(generated(part) for part in parts)
        case {"$join": [between, count]}:
            return between.join(str(number) for number in range(count))
        case {"$join1": [between, count]}:
            return between.join(str(number) for number in range(1, count + 1))
        case _:
            return value


def as_expression(case: dict[str, Any]) -> str:
    """The expression with the case's dates as RDATE and EXDATE lines."""
    lines = [case["expr"]]
    for name, key in (("RDATE", "rdate"), ("EXDATE", "exdate")):
        if case.get(key):
            stamps = (date.replace("-", "").replace(":", "") for date in case[key])
            lines.append(f"{name}:{','.join(stamps)}")
    return "\n".join(lines)
