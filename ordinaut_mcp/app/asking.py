"""The services for one short command, over the database of the runtime that lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from ordinaut_mcp.app import local
from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.store.pool import new_pool

T = TypeVar("T")
Question = Callable[[Services, Caller], Awaitable[T]]


def ask(settings: Settings, question: Question[T]) -> T:
    """The answer to one question of the local user's agent.

    Raises:
        Unavailable: there is no database to ask: none is set, and no local runtime is up.
    """
    url = database_url(settings)

    async def asking() -> T:
        async with new_pool(url, largest=2) as pool:
            return await question(services_over(pool, settings), Caller(settings.agent))

    return anyio.run(asking)


def database_url(settings: Settings) -> str:
    """The database of the settings, else of the local runtime that lives.

    Raises:
        Unavailable: there is neither.
    """
    if settings.database_url:
        return settings.database_url
    found = local.found(settings)
    if found and found.database_url:
        return found.database_url
    raise Unavailable(
        "There is no database to ask: the local runtime is not up.",
        field="ORDINAUT_DATABASE_URL",
        hint="Start it with `ordinaut-mcp up`, or set ORDINAUT_DATABASE_URL.",
    )
