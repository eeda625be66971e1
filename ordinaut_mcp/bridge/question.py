"""What a tool server may ask its client in the middle of a call, in words for a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, cast
from urllib.parse import urlsplit

from mcp import types

LONGEST_QUESTION: Final = 500
"""Characters of a question that are kept for messages."""


class Asks(StrEnum):
    """For what a server asks: the three requests that MCP lets it make."""

    ELICITATION = "elicitation"
    """A person's answer."""
    SAMPLING = "sampling"
    """A model's text."""
    ROOTS = "roots"
    """Folders it may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request of a tool server; `params` are those of MCP, with their names on the wire.

    `uses` and `idempotency_key` tell the call that it belongs to; both are empty where it
    belongs to none, or where it cannot be known to which (2025-11-25 with several calls).
    """

    server: str
    asks: Asks
    says: str
    uses: str = ""
    idempotency_key: str = ""
    params: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


Answer = Callable[[Question], Awaitable[Mapping[str, Any] | None]]
"""Answers a question with the result of MCP (`{"action": "accept", "content": {…}}`), or None:
nobody is there, and the call fails. A question comes again when its step is run again."""

HINTS: Final = {
    Asks.ELICITATION: "Nobody answers a tool in a scheduled run: give it what it asks for in"
    " `with`, if it takes it there, or use a tool that does not ask.",
    Asks.SAMPLING: "Tool servers are given no model: let a step with llm.complete write the text,"
    " and pass it on.",
    Asks.ROOTS: "Name the folders in args of the server's entry in the tools file.",
}


def asks_of(request: types.InputRequest) -> Asks:
    """Which of the three it is."""
    match request:
        case types.CreateMessageRequest():
            return Asks.SAMPLING
        case types.ElicitRequest():
            return Asks.ELICITATION
        case types.ListRootsRequest():
            return Asks.ROOTS


def says_of(request: types.InputRequest) -> str:
    """The question as a clause: `asks a person: "May I?" (ok)`."""
    match request:
        case types.ElicitRequest(params=params):
            return _asked(params)
        case types.CreateMessageRequest():
            return "asks for a text of a language model (sampling)"
        case types.ListRootsRequest():
            return "asks which folders it may use (roots)"


def _asked(params: types.ElicitRequestParams) -> str:
    if isinstance(params, types.ElicitRequestURLParams):
        host = urlsplit(params.url).hostname or "nowhere"
        return f"asks a person to open a page at {host}: {_quoted(params.message)}"
    fields = cast("dict[str, Any]", params.requested_schema.get("properties") or {})
    names = ", ".join([str(name)[:60] for name in fields][:10])
    return f"asks a person: {_quoted(params.message)}" + (f" ({names})" if names else "")


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    shown = text if len(text) <= LONGEST_QUESTION else text[: LONGEST_QUESTION - 1] + "…"
    return f'"{shown}"'
