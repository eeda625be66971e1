"""MCP tool that controls the whole runtime: pause everything, let it go on."""

from __future__ import annotations

from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.registry import CHANGES, Ctx, Registry, asked
from ordinaut_mcp.tools.status import StatusAnswer, sentence, status_answer


class ControlAnswer(StatusAnswer):
    """The state of the whole runtime after the change."""

    says: str


async def pause_all(
    paused: Annotated[bool, Field(description="true: nothing starts; false: go on.")],
    ctx: Ctx,
    note: Annotated[
        str | None,
        Field(max_length=500, description="Why, for whoever looks; only while paused."),
    ] = None,
) -> Annotated[CallToolResult, ControlAnswer]:
    """Pause everything, of every agent, until somebody resumes it; restarts change nothing.

    Runs under way finish; nothing new starts, by schedule or by run_now. With `paused` false it
    goes on: what came due meanwhile is late, and each task's `misfire` says what becomes of it.
    pause_task pauses one task only. Repeating the call changes nothing but the note.

    Returns what get_status does. Errors: `insufficient_scope`: only an administrator may.
    """
    caller, services = await asked(ctx)
    facts = await control(caller, services, paused=paused, note=note)
    return answer(f"{facts.says}\n{sentence(facts)}", facts)


async def control(
    caller: Caller, services: Services, *, paused: bool, note: str | None = None
) -> ControlAnswer:
    """Pause or resume, and look; the same for every caller."""
    if paused:
        changed = await services.controls.pause(caller, note=note)
        now, already = "Everything is paused from now on.", "Everything was paused already."
    else:
        changed = await services.controls.resume(caller)
        now, already = "Everything goes on from now on.", "Nothing changed: nothing was paused."
    facts = status_answer(await services.status.get(caller))
    return ControlAnswer(**dict(facts), says=now if changed else already)


def register(server: Registry) -> None:
    """Publish the tool."""
    server.offer(pause_all, title="Pause or resume everything", annotations=CHANGES)
