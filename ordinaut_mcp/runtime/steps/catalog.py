"""Which function carries out which built-in tool."""

from __future__ import annotations

from collections.abc import Mapping

from ordinaut_mcp.ports import EventStore, LanguageModel, MessageStore, WebCaller
from ordinaut_mcp.runtime.steps.call import Builtin, Computing
from ordinaut_mcp.runtime.steps.events import publisher
from ordinaut_mcp.runtime.steps.http import requester
from ordinaut_mcp.runtime.steps.inbox import sender
from ordinaut_mcp.runtime.steps.llm import planner
from ordinaut_mcp.runtime.steps.values import check_value, set_value

RAW: frozenset[tuple[str, str]] = frozenset({("value.check", "condition")})
"""Arguments that are expressions themselves: they are evaluated, not rendered."""

COMPUTING: Mapping[str, Computing] = {"value.set": set_value, "value.check": check_value}
"""What is carried out at once, in the batch, and needs no intent in the journal."""


def builtins(
    model: LanguageModel | None,
    *,
    messages: MessageStore,
    events: EventStore,
    web: WebCaller | None = None,
) -> Mapping[str, Builtin]:
    """The built-in tools by what a step says in `uses`."""
    return {
        "llm.plan": planner(model),
        "llm.complete": planner(model),
        "http.request": requester(web),
        "inbox.send": sender(messages),
        "events.publish": publisher(events),
    }
