"""How a module-level function becomes a tool: its title and its four hints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations

from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Desk, Services

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
CHANGES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
MOVES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
ENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
STARTS = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True
)

GIVEN: ContextVar[frozenset[str]] = ContextVar("GIVEN", default=frozenset())
"""The names of the arguments that the call really gave: to an edit, null is not nothing."""

Ctx = Context[Desk]
ToolFunction = Callable[..., Awaitable[CallToolResult]]


class Registry(Protocol):
    """The part of the server that registering needs."""

    def offer(self, tool: ToolFunction, *, title: str, annotations: ToolAnnotations) -> None:
        """Publish the function under its own name; its docstring is what the model reads."""
        ...


def desk(ctx: Ctx) -> Desk:
    """The session's desk."""
    return ctx.request_context.lifespan_context


async def asked(ctx: Ctx) -> tuple[Caller, Services]:
    """Who asks, and the services; waits while the runtime is still coming up."""
    found = desk(ctx)
    return found.caller, await found.services()


class Noun(Protocol):
    """A module with tools."""

    def register(self, server: Registry) -> None:
        """Offer its tools."""
        ...


def nouns() -> tuple[Noun, ...]:
    """Every module with tools, in the order in which they are listed."""
    from ordinaut_mcp.tools import (
        agenda,
        catalog,
        controls,
        events,
        inbox,
        runs,
        schedules,
        status,
        tasks,
    )

    return (tasks, schedules, runs, agenda, status, catalog, inbox, events, controls)
