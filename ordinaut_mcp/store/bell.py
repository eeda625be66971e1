"""The doorbell between processes: NOTIFY after the commit, LISTEN on a connection of its own.

It only wakes; polling is the truth. It is never rung inside the transaction that it tells
about: NOTIFY there would serialise all commits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.store.pool import CONNECT_SECONDS, LOST, Pool, connected, unavailable

RING: Final[LiteralString] = "SELECT pg_notify('ordinaut', %(bell)s)"
LISTEN: Final[LiteralString] = "LISTEN ordinaut"


class PostgresBell:
    """Rings for every runtime process on this database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ring(self, bell: str) -> None:
        """Wake whoever listens for `bell`; a ring that is lost costs one poll, nothing more."""
        try:
            async with connected(self._pool) as connection:
                await connection.execute(RING, {"bell": bell})
        except Unavailable:
            return


@asynccontextmanager
async def listening(database_url: str) -> AsyncGenerator[AsyncGenerator[str], None]:
    """The rings from now on, in order; ends with `Unavailable` when the connection is lost."""
    with unavailable():
        connection = await AsyncConnection.connect(
            database_url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="ordinaut bell",
        )
    async with connection:
        with unavailable():
            await connection.execute(LISTEN)
        yield _rings(connection)


async def _rings(connection: AsyncConnection[TupleRow]) -> AsyncGenerator[str]:
    try:
        async for notice in connection.notifies():
            yield notice.payload
    except LOST as error:
        raise Unavailable("The doorbell's connection was lost.") from error
