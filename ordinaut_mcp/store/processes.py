"""Runtime processes in PostgreSQL: who is alive, and how much unfinished work there is."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import Depth, ProcessInfo
from ordinaut_mcp.store.pool import Pool, connected, row, rows

REGISTER: Final[LiteralString] = """
    INSERT INTO ordinaut.process (host, pid, roles, version, tzdata)
    VALUES (%(host)s, %(pid)s, %(roles)s, %(version)s, %(tzdata)s)
    RETURNING id
"""
BEAT: Final[LiteralString] = """
    UPDATE ordinaut.process SET heartbeat_at = ordinaut.now() WHERE id = %(id)s
"""
LEAVE: Final[LiteralString] = """
    UPDATE ordinaut.process SET stopped_at = ordinaut.now() WHERE id = %(id)s
"""
ALIVE: Final[LiteralString] = """
    SELECT *, ordinaut.now() - heartbeat_at AS age
    FROM ordinaut.process
    WHERE stopped_at IS NULL AND heartbeat_at > ordinaut.now() - %(within)s::interval
    ORDER BY id
"""
DEPTH: Final[LiteralString] = """
    SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
           count(*) FILTER (WHERE state = 'running') AS running,
           count(*) FILTER (WHERE state = 'retrying') AS retrying,
           count(*) FILTER (WHERE state = 'waiting') AS waiting,
           ordinaut.now() - min(run_at) FILTER (
               WHERE state IN ('queued', 'retrying') AND run_at <= ordinaut.now()
           ) AS oldest_overdue
    FROM ordinaut.due_work
"""
KEEP_PARTITIONS: Final[LiteralString] = """
    SELECT ordinaut.ensure_partitions(ordinaut.now() + interval '2 months')
"""


class PostgresProcesses:
    """The `ProcessStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def register(self, *, roles: Sequence[str], version: str, tzdata: str) -> ProcessId:
        """A new id, at each start of a process."""
        parameters = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "roles": list(roles),
            "version": version,
            "tzdata": tzdata,
        }
        async with connected(self._pool) as connection:
            found = await row(connection, REGISTER, parameters)
        if found is None:
            raise OrdinautError("The process could not be registered.")
        return ProcessId(found["id"])

    async def beat(self, process: ProcessId) -> None:
        """Say that the process is alive."""
        async with connected(self._pool) as connection:
            await connection.execute(BEAT, {"id": process})

    async def leave(self, process: ProcessId) -> None:
        """Say that the process stopped on purpose."""
        async with connected(self._pool) as connection:
            await connection.execute(LEAVE, {"id": process})

    async def alive(self, *, within: timedelta) -> Sequence[ProcessInfo]:
        """The processes that said so lately."""
        async with connected(self._pool) as connection:
            return [_info(found) for found in await rows(connection, ALIVE, {"within": within})]

    async def depth(self) -> Depth:
        """How much unfinished work there is."""
        async with connected(self._pool) as connection:
            found = await row(connection, DEPTH)
        return Depth(**(found or {}))

    async def keep_partitions(self) -> None:
        """Make sure that the next months have their partitions."""
        async with connected(self._pool) as connection:
            await connection.execute(KEEP_PARTITIONS)


def _info(found: DictRow) -> ProcessInfo:
    return ProcessInfo(
        id=ProcessId(found["id"]),
        host=found["host"],
        pid=found["pid"],
        roles=tuple(found["roles"]),
        version=found["version"],
        tzdata=found["tzdata"],
        started_at=found["started_at"],
        heartbeat_age=found["age"],
    )
