"""The connection pool, and the one place where psycopg's errors become ours."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from psycopg import AsyncConnection, Error, InterfaceError, OperationalError
from psycopg.errors import (
    InvalidSchemaName,
    ReadOnlySqlTransaction,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
)
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from ordinaut_mcp.errors import Unavailable

Connection: TypeAlias = "AsyncConnection[DictRow]"
Pool: TypeAlias = "AsyncConnectionPool[LentConnection]"

CONNECT_SECONDS = 5
WAIT_SECONDS = 10
TRUSTED_SECONDS = 1.0
"""So long after its last use a connection is lent without being asked whether it lives."""
LOST = (OperationalError, InterfaceError, PoolTimeout, PoolClosed, ReadOnlySqlTransaction)
"""A standby that took a connection before its promotion is as good as not there."""
MISSING = (InvalidSchemaName, UndefinedTable, UndefinedColumn, UndefinedFunction)


class LentConnection(AsyncConnection[DictRow]):
    """A connection that remembers when it was used last, on the monotonic clock."""

    used_at = 0.0


def new_pool(database_url: str, *, largest: int = 10, smallest: int = 1) -> Pool:
    """A closed pool; `async with pool` opens it. Connections are checked before they are lent."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    return AsyncConnectionPool(
        database_url,
        connection_class=LentConnection,
        kwargs={
            "row_factory": dict_row,
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "ordinaut",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
        min_size=smallest,
        max_size=largest,
        timeout=WAIT_SECONDS,
        reconnect_timeout=5,
        configure=_configure,
        check=_check,
        open=False,
    )


async def _configure(connection: LentConnection) -> None:
    """Our statements are short and many: compiling each would cost more than it runs."""
    await connection.execute("SET jit = off")


async def _check(connection: LentConnection) -> None:
    """Whether a connection that lay in the pool still lives; psycopg_pool drops it if not.

    Under load that would double the round trips: one that was used just now is trusted.
    """
    if time.monotonic() - connection.used_at > TRUSTED_SECONDS:
        await connection.execute("SELECT 1")


@contextmanager
def unavailable() -> Generator[None, None, None]:
    """Turn a lost or refused connection into `Unavailable`; let real faults through."""
    try:
        yield
    except MISSING as error:
        raise Unavailable(
            "The database has no Ordinaut schema, or an older one; nothing was stored.",
            hint="Run `ordinaut-mcp migrate`, then call again.",
        ) from error
    except LOST as error:
        raise Unavailable(
            "The database is not reachable; nothing was stored.",
            hint="Call again in a moment; `ordinaut-mcp doctor` says what is wrong.",
            retry_after=2,
        ) from error


@asynccontextmanager
async def connected(pool: Pool) -> AsyncGenerator[Connection, None]:
    """A connection in autocommit: each statement is its own transaction."""
    with unavailable():
        async with pool.connection() as connection:
            yield connection
            connection.used_at = time.monotonic()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Connection, None]:
    """A connection inside one transaction, committed at the end, rolled back on any error."""
    async with connected(pool) as connection, connection.transaction():
        yield connection


async def rows(connection: Connection, statement: Any, parameters: Any = None) -> list[DictRow]:
    """All rows of one statement."""
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchall()


async def row(connection: Connection, statement: Any, parameters: Any = None) -> DictRow | None:
    """The first row of one statement, or None."""
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchone()


__all__ = [
    "Connection",
    "Error",
    "Pool",
    "connected",
    "new_pool",
    "row",
    "rows",
    "transaction",
    "unavailable",
]
