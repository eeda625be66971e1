"""One call of a built-in tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import ToolOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """The rendered arguments, the context they were rendered from, and whose run it is."""

    arguments: Mapping[str, Any]
    context: RenderContext
    idempotency_key: str
    owner: str = ""
    timeout: timedelta | None = None
    """How long the step may take, for tools that end in their own time; None: it is not said."""


Builtin = Callable[[StepCall], Awaitable[ToolOutcome]]

Computing = Callable[[Mapping[str, Any], Callable[[], RenderContext]], ToolOutcome]
"""A built-in that only computes, from its arguments and, if it asks, the context: it waits for
nothing and has no effect."""
