"""PgQueuer over asyncpg: one queue manager, no-op entrypoint; the option is its batch."""

from __future__ import annotations

import asyncio
from typing import Final, LiteralString

from peers.child import Begun

PACKAGES: Final = ("pgqueuer", "asyncpg")
BATCHES: Final = ("500", "100", "10")
LEFT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM pgqueuer)"
CHUNK: Final = 5_000


def install(url: str) -> None:
    """Its own schema."""
    asyncio.run(_install(url))


def add(url: str, runs: int) -> None:
    """Add in chunks, the fastest way that it offers."""
    asyncio.run(_add(url, runs))


def work(url: str, begun: Begun, option: str) -> None:
    """Work until the process is ended."""
    asyncio.run(_work(url, begun, int(option or BATCHES[0])))


async def _install(url: str) -> None:
    import asyncpg
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def _add(url: str, runs: int) -> None:
    import asyncpg
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    for first in range(0, runs, CHUNK):
        many = min(CHUNK, runs - first)
        await queries.enqueue(["nothing"] * many, [None] * many, [0] * many)
    await connection.close()


async def _work(url: str, begun: Begun, batch: int) -> None:
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.models import Job

    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    async def nothing(_: Job) -> None:
        begun()

    # Its decorator reads annotations, which are text in this file.
    nothing.__annotations__["_"] = Job
    queue.entrypoint("nothing")(nothing)
    await queue.run(batch_size=batch)
