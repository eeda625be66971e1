"""Partitions in PostgreSQL: which there are, and how one goes without anybody waiting long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from ordinaut_mcp.store.pool import Connection, row, rows

# The bounds as PostgreSQL knows them; a default partition has none and is not among them.
PARTITIONS: Final[LiteralString] = r"""
    SELECT child.relname AS name, bounds[1]::timestamptz AS low, bounds[2]::timestamptz AS high
    FROM pg_inherits i
    JOIN pg_class child ON child.oid = i.inhrelid
    JOIN pg_class parent ON parent.oid = i.inhparent
    CROSS JOIN LATERAL regexp_match(pg_get_expr(child.relpartbound, child.oid),
                                    'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)') AS bounds
    WHERE parent.relnamespace = 'ordinaut'::regnamespace AND parent.relname = %(parent)s
      AND bounds IS NOT NULL
    ORDER BY low
"""
WAIT_SHORTLY: Final[LiteralString] = """
    SELECT set_config('lock_timeout', ceil(extract(epoch FROM %(limit)s::interval) * 1000)::text,
                      true)
"""
STILL_THERE: Final[LiteralString] = "SELECT to_regclass(%(name)s) IS NOT NULL AS is_there"

LOCK_WAIT = timedelta(seconds=2)
"""So long everybody else may have to queue behind us for a table that somebody uses."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
BUSY = (LockNotAvailable, DeadlockDetected)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: rows from `low` on, up to and without `high`."""

    parent: str
    name: str
    low: datetime
    high: datetime


async def partitions(connection: Connection, parent: str) -> list[Partition]:
    """The partitions of a table in the order of time, without the default one."""
    found = await rows(connection, PARTITIONS, {"parent": parent})
    return [Partition(parent, one["name"], one["low"], one["high"]) for one in found]


def gaps(there: Sequence[Partition], *, until: datetime) -> list[tuple[datetime, datetime]]:
    """The spans before `until` for which there is no partition (any more)."""
    since, found = LONG_AGO, list[tuple[datetime, datetime]]()
    for one in there:
        if since < min(one.low, until):
            found.append((since, min(one.low, until)))
        since = max(since, one.high)
    return [*found, (since, until)] if since < until else found


async def wait_shortly(connection: Connection) -> None:
    """Let the rest of this transaction give up on a lock after 2 s."""
    await connection.execute(WAIT_SHORTLY, {"limit": LOCK_WAIT})


async def held(connection: Connection, question: LiteralString, one: Partition) -> bool:
    """What the question says of the partition's span of time; it answers with `held`."""
    found = await row(connection, question, {"low": one.low, "high": one.high})
    return found is None or bool(found["held"])


async def drop(connection: Connection, one: Partition, question: LiteralString | None) -> bool:
    """Drop the partition unless the question says that it is held; whether it went.

    The question is asked under the lock, so that nobody can begin to hold it in between. The
    lock is on the parent, as the drop needs it anyway, and is waited for at most 2 s.

    Raises:
        LockNotAvailable, DeadlockDetected: somebody used the table for longer.
    """
    async with connection.transaction():
        await wait_shortly(connection)
        lock = sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE")
        await connection.execute(lock.format(sql.Identifier("ordinaut", one.parent)))
        name = sql.Identifier("ordinaut", one.name)
        found = await row(connection, STILL_THERE, {"name": name.as_string(connection)})
        if not (found and found["is_there"]):
            return False  # another janitor was quicker
        if question and await held(connection, question, one):
            return False
        await connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return True


def past(there: Sequence[Partition], *, now: datetime, keep: timedelta) -> list[Partition]:
    """Those with nothing in them that is to be kept."""
    return [one for one in there if one.high <= now - keep]
