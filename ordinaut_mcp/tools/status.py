"""MCP tool about Ordinaut itself: how it is doing, who am I, what time is it."""

from __future__ import annotations

from typing import Annotated

from mcp.types import CallToolResult
from pydantic import BaseModel

from ordinaut_mcp import __version__
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.services.status import Status
from ordinaut_mcp.tools.answers import Instant, instant
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.registry import READS, Ctx, Registry, asked


class QueueView(BaseModel):
    queued: int
    running: int
    retrying: int
    waiting: int
    oldest_overdue_seconds: float | None


class ProcessView(BaseModel):
    host: str
    pid: int
    roles: list[str]
    version: str
    tzdata: str
    started_at: str
    heartbeat_age_seconds: float


class ServerView(BaseModel):
    server: str
    state: str
    error: str | None


class PauseView(BaseModel):
    by: str
    since: Instant
    note: str | None


class StatusAnswer(BaseModel):
    now: Instant
    timezone: str
    agent: str
    version: str
    tzdata: str
    healthy: bool
    paused: PauseView | None
    processes: list[ProcessView]
    queue: QueueView
    tool_servers: list[ServerView]


async def get_status(ctx: Ctx) -> Annotated[CallToolResult, StatusAnswer]:
    """Tell the time, the default zone, who you are, and whether Ordinaut is healthy.

    `paused` is null, or says who paused everything, when and why: nothing starts then. `healthy` is
    true when somebody schedules and somebody works. `queue` counts unfinished runs;
    `tool_servers` says which servers steps can use now, and what is wrong with the others.
    """
    caller, services = await asked(ctx)
    facts = status_answer(await services.status.get(caller))
    return answer(sentence(facts), facts)


def status_answer(status: Status) -> StatusAnswer:
    """The status in the shape that every caller gets."""
    overdue, pause = status.depth.oldest_overdue, status.paused
    return StatusAnswer(
        now=instant(status.now, status.timezone),
        timezone=status.timezone,
        agent=status.agent,
        version=__version__,
        tzdata=TZDATA_VERSION,
        healthy=status.healthy,
        paused=pause
        and PauseView(by=pause.by, since=instant(pause.since, status.timezone), note=pause.note),
        processes=[
            ProcessView(
                host=process.host,
                pid=process.pid,
                roles=list(process.roles),
                version=process.version,
                tzdata=process.tzdata,
                started_at=instant(process.started_at, status.timezone).local,
                heartbeat_age_seconds=round(process.heartbeat_age.total_seconds(), 3),
            )
            for process in status.processes
        ],
        queue=QueueView(
            queued=status.depth.queued,
            running=status.depth.running,
            retrying=status.depth.retrying,
            waiting=status.depth.waiting,
            oldest_overdue_seconds=overdue.total_seconds() if overdue else None,
        ),
        tool_servers=[
            ServerView(server=one.server, state=one.state.value, error=one.error)
            for one in status.servers
        ],
    )


def sentence(facts: StatusAnswer) -> str:
    """How things are; that everything is paused comes first."""
    health = "Healthy" if facts.healthy else "NOT healthy: nobody schedules or nobody works"
    queue = facts.queue
    servers = ", ".join(f"{one.server} {one.state}" for one in facts.tool_servers) or "none"
    return (
        f"{_paused(facts)}{health}. It is {facts.now.local} ({facts.timezone}); you are"
        f" '{facts.agent}'.\n"
        f"Queue: {queue.queued} queued, {queue.running} running, {queue.retrying} retrying,"
        f" {queue.waiting} waiting. Tool servers: {servers}."
    )


def _paused(facts: StatusAnswer) -> str:
    pause = facts.paused
    if pause is None:
        return ""
    why = f": {pause.note}" if pause.note else ""
    return (
        f"PAUSED since {pause.since.local} by '{pause.by}'{why}\n"
        "Nothing starts until pause_all is called with paused=false.\n"
    )


def register(server: Registry) -> None:
    """Publish the tool about Ordinaut itself."""
    server.offer(get_status, title="Show the status", annotations=READS)
