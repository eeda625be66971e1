"""One call of a tool, from its arguments to its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import anyio
from mcp.types import CallToolResult

from ordinaut_mcp.bridge.catalog import Entry
from ordinaut_mcp.bridge.faults import fault_of, not_reachable, timed_out, unanswered
from ordinaut_mcp.bridge.ongoing import CURRENT, Ongoing
from ordinaut_mcp.bridge.remote import IDEMPOTENCY_META
from ordinaut_mcp.bridge.result import kept, misfit, outcome_of
from ordinaut_mcp.bridge.session import Link, Session
from ordinaut_mcp.domain.clean import OUTPUT, clean_json
from ordinaut_mcp.domain.nearest import did_you_mean
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolOutcome
from ordinaut_mcp.errors import InvalidInput

READY_WITHIN: Final = 10.0
"""Seconds that a call waits for its server, within its own time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a step asks of one server."""

    tool: str
    arguments: Mapping[str, Any]
    idempotency_key: str
    timeout: timedelta


async def call(session: Session, request: Request) -> ToolOutcome:
    """Carry out a request within its time-out; what goes wrong comes back as a value."""
    seconds = request.timeout.total_seconds()
    deadline = anyio.current_time() + seconds
    link = await session.ready(min(seconds, READY_WITHIN))
    if isinstance(link, str):
        return not_reachable(session.config.name, link)
    entry = link.catalog.entries.get(request.tool)
    if entry is None:
        return _unknown(session, request)
    refused = _refused(entry, request)
    return refused or await _ask(link, entry, request=request, deadline=deadline)


async def _ask(link: Link, entry: Entry, *, request: Request, deadline: float) -> ToolOutcome:
    """Wait for a place, in the order of asking, and send the call.

    Cancelled here, by its time-out or by whoever wanted it, a call is cancelled at the server.
    """
    ongoing = Ongoing(uses=entry.spec.uses, idempotency_key=request.idempotency_key)
    ongoing.scope.deadline = deadline
    outcome, sent = None, False
    with ongoing.scope:
        async with link.places:
            if not link.alive:
                return not_reachable(entry.spec.server, link.account.says())
            sent = True
            with link.under_way(ongoing):
                outcome = _judged(await _result(link, ongoing, request), link, entry)
    if ongoing.question and not isinstance(outcome, Returned):
        return unanswered(ongoing.question, entry.spec.uses, outcome)
    return outcome or timed_out(request.timeout, sent=sent, progress=ongoing.progress)


async def _result(link: Link, ongoing: Ongoing, request: Request) -> CallToolResult | Exception:
    token = CURRENT.set(ongoing)
    try:
        return await link.client.call_tool(
            request.tool,
            dict(request.arguments),
            progress_callback=ongoing.on_progress,
            meta={IDEMPOTENCY_META: request.idempotency_key},
        )
    except Exception as error:  # noqa: BLE001 - whatever a tool does stays with its call
        return error
    finally:
        CURRENT.reset(token)


def _judged(result: CallToolResult | Exception, link: Link, entry: Entry) -> ToolOutcome:
    if isinstance(result, Exception):
        return fault_of(result, link.account, alone=len(link.calls) == 1)
    return outcome_of(result, entry.output)


def _unknown(session: Session, request: Request) -> Fault:
    name = session.config.name
    known = did_you_mean(request.tool, session.catalog.entries)
    return Fault(kind=FaultKind.UNKNOWN_TOOL, message=f"{name} has no tool {request.tool!r}{known}")


def _refused(entry: Entry, request: Request) -> Fault | None:
    """Why a call cannot be sent."""
    if entry.unusable:
        message = f"{entry.spec.uses} cannot be called: {entry.unusable}"
        return Fault(kind=FaultKind.BAD_ARGUMENTS, message=kept(message))
    try:
        clean_json(dict(request.arguments), field="", limits=OUTPUT)
    except InvalidInput as error:
        return Fault(kind=FaultKind.BAD_ARGUMENTS, message=kept(error.message))
    problem = misfit(entry.arguments, dict(request.arguments), "")
    return Fault(kind=FaultKind.BAD_ARGUMENTS, message=kept(problem)) if problem else None
