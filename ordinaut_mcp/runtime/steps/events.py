"""`events.publish`: an event from a run, once for each step."""

from __future__ import annotations

from ordinaut_mcp.domain.event import EventDraft, event_draft, event_name
from ordinaut_mcp.domain.run import parse_run_name
from ordinaut_mcp.domain.tool import Returned, ToolOutcome
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import EventStore
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall
from ordinaut_mcp.runtime.steps.faults import as_fault


def publisher(events: EventStore) -> Builtin:
    """The built-in over these events."""

    async def publish(call: StepCall) -> ToolOutcome:
        try:
            event, _ = await events.publish(_draft(call))
        except OrdinautError as error:
            return as_fault(error)
        return Returned({"event": event_name(event.id), "topic": event.topic})

    return publish


def _draft(call: StepCall) -> EventDraft:
    return event_draft(
        owner=call.owner,
        topic=call.arguments["topic"],
        data=call.arguments.get("data"),
        key=call.idempotency_key,
        run_id=parse_run_name(call.context.values["run"]["id"]),
    )
