"""Which function carries out which built-in tool."""

from __future__ import annotations

from collections.abc import Mapping

from ordinaut_mcp.ports import LanguageModel
from ordinaut_mcp.runtime.steps.call import Builtin
from ordinaut_mcp.runtime.steps.llm import planner
from ordinaut_mcp.runtime.steps.values import check_value, set_value

RAW: frozenset[tuple[str, str]] = frozenset({("value.check", "condition")})
"""Arguments that are expressions themselves: they are evaluated, not rendered."""


def builtins(model: LanguageModel | None) -> Mapping[str, Builtin]:
    """The built-in tools by what a step says in `uses`."""
    return {"value.set": set_value, "value.check": check_value, "llm.plan": planner(model)}
