"""The heartbeat's own connection to PostgreSQL: synchronous, for a thread of its own."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, LiteralString

from psycopg import Connection, connect
from psycopg.rows import TupleRow

from ordinaut_mcp.domain.run import Lease, ProcessId
from ordinaut_mcp.store.pool import CONNECT_SECONDS, unavailable

# One statement for the process and all of its leases. Locked in order, as settlements do. With `=`
# the planner would take the index of what runs, which it believes to be next to empty.
BEAT: Final[LiteralString] = """
    WITH alive AS (
        UPDATE ordinaut.process SET heartbeat_at = ordinaut.now() WHERE id = %(process)s
    ), held AS (
        SELECT d.run_id
        FROM unnest(%(ids)s::bigint[], %(epochs)s::bigint[]) AS h (run_id, epoch)
        CROSS JOIN LATERAL (
            SELECT d.run_id FROM ordinaut.due_work d
            WHERE d.run_id = h.run_id AND d.epoch = h.epoch AND d.state = 'running'
            FOR UPDATE
        ) AS d
    )
    UPDATE ordinaut.due_work d SET lease_until = ordinaut.now() + %(lease_for)s
    WHERE d.run_id = ANY (ARRAY(SELECT run_id FROM held))
      AND d.process_id IS NOT DISTINCT FROM %(process)s
    RETURNING d.run_id, d.epoch
"""
# Behind a pooler the server's process is another's in a moment: then nothing is to be read off
# its end.
BELONG: Final[LiteralString] = """
    UPDATE ordinaut.process p
    SET backend_pid = a.pid, backend_started_at = a.backend_start
    FROM (SELECT 1) AS one
    LEFT JOIN pg_stat_activity a ON a.pid = pg_backend_pid() AND a.pid = %(pid)s
    WHERE p.id = %(process)s
"""


class PostgresLeaseKeeper:
    """The `LeaseKeeper` port over PostgreSQL."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: Connection[TupleRow] | None = None
        self._woken, self._waker = socket.socketpair()

    def beat(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[Lease]:
        """Say that the process is alive and extend its leases; those that are no longer held."""
        leases = sorted(leases, key=lambda lease: lease.run_id)  # locked in one order
        parameters = {
            "process": process,
            "ids": [lease.run_id for lease in leases],
            "epochs": [lease.epoch for lease in leases],
            "lease_for": lease_for,
        }
        with unavailable():
            try:
                found = self._connected(process).execute(BEAT, parameters)
                kept = set(found.fetchall())
            except BaseException:
                self._drop()
                raise
        return {lease for lease in leases if (lease.run_id, lease.epoch) not in kept}

    def rest(self, at_most: float) -> None:
        """Wait so many seconds, or until the connection ended or `wake` was called."""
        watched: list[int] = [self._woken.fileno()]
        if self._connection is not None:
            watched.append(self._connection.fileno())
        with selectors.DefaultSelector() as selector:
            for one in watched:
                selector.register(one, selectors.EVENT_READ)
            readable = [key.fd for key, _ in selector.select(at_most)]
        if self._woken.fileno() in readable:
            self._woken.recv(1)
        elif readable:
            self._drop()  # nobody sends anything here but the end

    def wake(self) -> None:
        """End the rest, from any thread."""
        with suppress(OSError):  # closed: there is nothing to wake
            self._waker.send(b"!")

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()
        self._woken.close()
        self._waker.close()

    def _connected(self, process: ProcessId) -> Connection[TupleRow]:
        if self._connection is None:
            self._connection = connect(
                self._database_url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="ordinaut heartbeat",
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
            )
            pid = self._connection.info.backend_pid
            self._connection.execute(BELONG, {"process": process, "pid": pid})
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
