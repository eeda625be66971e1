"""`inbox.send`: a message from a run, once for each step."""

from __future__ import annotations

from ordinaut_mcp.domain.instant import utc_text
from ordinaut_mcp.domain.message import Draft, draft, message_name
from ordinaut_mcp.domain.run import parse_run_name
from ordinaut_mcp.domain.tool import Returned, ToolOutcome
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import MessageStore
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall
from ordinaut_mcp.runtime.steps.faults import as_fault


def sender(messages: MessageStore) -> Builtin:
    """The built-in over these inboxes."""

    async def send(call: StepCall) -> ToolOutcome:
        try:
            message, _ = await messages.post(_draft(call))
        except OrdinautError as error:
            return as_fault(error)
        return Returned(
            {
                "message": message_name(message.id),
                "to": message.to,
                "deliver_at": utc_text(message.deliver_at),
            }
        )

    return send


def _draft(call: StepCall) -> Draft:
    given = call.arguments
    return draft(
        sender=call.owner,
        to=given.get("to", call.owner),
        text=given["text"],
        data=given.get("data"),
        deliver_at=given.get("deliver_at"),
        in_seconds=given.get("in_seconds"),
        key=call.idempotency_key,
        run_id=parse_run_name(call.context.values["run"]["id"]),
        timezone=str(call.context.zone),
    )
