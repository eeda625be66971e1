"""Where answers and errors become what the model reads."""

from __future__ import annotations

from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from ordinaut_mcp.errors import OrdinautError


def answer(text: str, facts: BaseModel) -> CallToolResult:
    """Short text that stands alone, and the same facts as structured content."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=facts.model_dump(mode="json"),
    )


def told(error: OrdinautError, *, tool: str, request_id: str) -> CallToolResult:
    """An error the model can act on: what was wrong, where, what is allowed, what to do next."""
    facts: dict[str, Any] = {**error.as_dict(), "request_id": request_id}
    lines = [f"{tool}: {error.message}"]
    if error.field:
        lines.append(f"Argument: {error.field}")
    if error.allowed:
        lines.append(f"Allowed: {', '.join(error.allowed[:40])}")
    if error.hint:
        lines.append(f"Next: {error.hint}")
    if error.retry_after:
        lines.append(f"Try again in {error.retry_after:g} s.")
    lines.append(f"({error.code}, {request_id})")
    return CallToolResult(
        content=[TextContent(type="text", text="\n".join(lines))],
        structured_content={"error": facts},
        is_error=True,
    )
