"""cases/bad_inputs.json: the inputs of security.md §3 and what must happen to each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.acceptance.product import ROOT

CASES: list[dict[str, Any]] = json.loads(
    (ROOT / "tests/cases/bad_inputs.json").read_text(encoding="utf-8")
)
SURFACES = {
    "condition.jmespath",
    "cursor",
    "id",
    "json.raw",
    "number",
    "payload.size",
    "pipeline",
    "schedule.at",
    "schedule.cron",
    "schedule.every",
    "schedule.rrule",
    "template",
    "text",
    "timezone",
    "url.ssrf",
}
NEVER_OUTSIDE = "names and redirects of the world outside: over loopback in tests/integration/web"
HTTP_BODY = "a body of HTTP; what such a line does over stdio is in test_stdout.py"
ELSEWHERE = {
    "json-raw-010": HTTP_BODY,
    "json-raw-011": HTTP_BODY,
    "json-raw-012": HTTP_BODY,
    "json-raw-014": HTTP_BODY,
    "json-raw-015": HTTP_BODY,
    "json-raw-016": HTTP_BODY,
    "json-raw-017": HTTP_BODY,
    "payload-size-003": "deeper than JSON is read: in test_bad_lines.py",
    "payload-size-007": "a lone surrogate breaks the SDK's client: in test_bad_lines.py",
    "pipeline-019": "task.schedule is of a later version: in test_bad_inputs.py as not_available",
    "template-017": "what a step hands on is the run's: in test_bad_inputs.py",
    "template-018": "what a step hands on is the run's: in test_bad_inputs.py",
    "template-006": "secrets are of a later version: in test_bad_inputs.py as not_available",
    "url-ssrf-046": NEVER_OUTSIDE,
    "url-ssrf-047": NEVER_OUTSIDE,
    "cursor-005": "a cursor of another agent is got first: in test_bad_inputs.py",
    "cursor-007": "a cursor of another tool is got first: in test_bad_inputs.py",
}


def chosen(outcome: str, *, raw: bool = False) -> list[dict[str, Any]]:
    """The cases with one outcome that are calls of tools; `raw`: given as the text of a line."""
    return [
        case
        for case in CASES
        if case["surface"] in SURFACES
        and case["expect"]["outcome"] == outcome
        and case["id"] not in ELSEWHERE
        and ("http" in case["input"]) is raw
    ]


def marked(cases: list[dict[str, Any]]) -> list[Any]:
    """The cases as parameters, named by their ids."""
    return [pytest.param(one, id=one["id"]) for one in cases]


def case(name: str) -> dict[str, Any]:
    """One case by its id."""
    [found] = [one for one in CASES if one["id"] == name]
    return found


def call_of(case: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The tool and its arguments, with the generators carried out."""
    return case["input"]["op"], generated(case["input"]["args"])


def line_of(case: dict[str, Any]) -> bytes:
    """The line of JSON-RPC that is sent as it is."""
    return generated(case["input"]["http"]["body_raw"]).encode()


def codes_of(case: dict[str, Any]) -> list[str]:
    """The codes of which any will do."""
    expected: list[str] | str = case["expect"]["error"]
    return [expected] if isinstance(expected, str) else expected


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = [value]
    return value


def _numbers(of: list[Any], first: int) -> str:
    return of[0].join(str(number) for number in range(first, first + of[1]))


GENERATORS: dict[str, Callable[[Any], Any]] = {
    "$repeat": lambda of: of[0] * of[1],
    "$cat": lambda of: "".join(generated(part) for part in of),
    "$join": lambda of: _numbers(of, 0),
    "$join1": lambda of: _numbers(of, 1),
    "$nest_array": _nested,
    "$many": lambda of: {f"{of[0]}{at}": of[2] for at in range(of[1])},
    "$b64": base64.b64decode,
}


def generated(value: Any) -> Any:
    """The value with its generators carried out (security.md §3)."""
    if isinstance(value, list):
        return [generated(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    for word, generator in GENERATORS.items():
        if members.keys() == {word}:
            return generator(members[word])
    return {name: generated(member) for name, member in members.items()}
