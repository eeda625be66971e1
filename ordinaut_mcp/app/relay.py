"""The relay of a runtime process, where it plays that role: over its Redis and its pool."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.relay import LEASE, Relay
from ordinaut_mcp.store.outbox import PostgresOutbox
from ordinaut_mcp.store.pool import Pool

MakeRelay = Callable[[ProcessId, Pool, Clockwork], Relay]


@asynccontextmanager
async def relay_over(
    redis_url: str | None, roles: Sequence[str]
) -> AsyncGenerator[MakeRelay | None, None]:
    """What makes the relay, as long as this block lasts; None: the process is none.

    Raises:
        InvalidInput: there is to be a relay, and no Redis was named.
    """
    if "relay" not in roles:
        yield None
        return
    if redis_url is None:
        raise InvalidInput(
            "The role 'relay' needs a Redis.",
            field="ORDINAUT_REDIS_URL",
            hint="Set ORDINAUT_REDIS_URL, or leave the role out: events wait in the outbox.",
        )
    from ordinaut_mcp.spine.publishing import RedisSpine
    from ordinaut_mcp.spine.wire import opened

    async with opened(redis_url) as wire:
        spine = RedisSpine(wire)
        yield lambda process, pool, clockwork: Relay(
            process, PostgresOutbox(pool, lease_for=LEASE), spine, clockwork
        )
