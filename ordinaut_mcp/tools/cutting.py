"""Large values are cut in answers, with a way to the rest; the journal keeps them whole."""

from __future__ import annotations

import json
from typing import Any

from ordinaut_mcp.tools.answers import RunView

SHOWN = 2_000
"""Characters of one value's JSON that a summary shows."""


def cut(view: RunView) -> RunView:
    """The run with large inputs and outputs cut."""
    view.output = _cut(view.output)
    for step in view.steps or ():
        step.input, step.output = _cut(step.input), _cut(step.output)
    return view


def _cut(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= SHOWN:
        return value
    return {
        "truncated": True,
        "head": text[:SHOWN],
        "characters": len(text),
        "hint": "Call get_run with detail='full' for all of it.",
    }
