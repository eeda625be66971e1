"""One call of a built-in tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import ToolOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """The rendered arguments, and the context they were rendered from."""

    arguments: Mapping[str, Any]
    context: RenderContext
    idempotency_key: str


Builtin = Callable[[StepCall], Awaitable[ToolOutcome]]
