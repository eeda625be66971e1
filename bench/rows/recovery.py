"""Recovery after `kill -9` of a worker: from its death until its run goes on elsewhere.

Two worker and reaper processes on direct connections, leases of 30 s. The run is in the middle
of a read-only tool call, so that it may be called again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from typing import Final, LiteralString

import anyio
import psutil
import stored
from children import runtime, until
from harness import Finding, Goal, Ground
from questions import Connection, connect, until_ready
from stations import OWN, new_home

ROW = "recovery"
LEASE: Final = 30
ROLES: Final = "worker,reaper"
SLOW: Final = {"id": "a", "uses": "bench.slow", "with": {"seconds": 25}}
HOLDER: Final[LiteralString] = """
    SELECT d.epoch, p.pid
    FROM ordinaut.due_work d
    JOIN ordinaut.process p ON p.id = d.process_id
    JOIN ordinaut.step s ON s.run_id = d.run_id AND s.state = 'running' AND s.epoch = d.epoch
    WHERE d.state = 'running'
"""


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Some rounds: a recovery by lease takes half a minute each."""
    found = ground.repeated(lambda: recovered(ground), times=ground.size(4, 1))
    yield Finding(
        row=ROW, figure="death → its run goes on elsewhere", unit="s", ours=found,
        goal=Goal(3, "at most", "ours"), remark=f"direct connections, leases of {LEASE} s",
    )  # fmt: skip
    yield Finding(
        row=ROW, figure="the same, against the lease", unit="s", ours=found,
        goal=Goal(LEASE + 1, "at most", "ours"), remark="the limit that always holds",
    )  # fmt: skip


def recovered(ground: Ground) -> float:
    """Seconds from the kill to the start of the step in the other process."""
    homes = [new_home(ground.server.folder, servers={"bench": OWN}) for _ in range(2)]
    settings = {"lease_seconds": str(LEASE)}
    with (
        ground.server.database() as url,
        connect(url) as connection,
        runtime(url, homes[0], roles=ROLES, **settings) as first,
        runtime(url, homes[1], roles=ROLES, **settings),
    ):
        until_ready(connection, first, "bench")
        request = {"schedule_expr": stored.NEVER, "pipeline": [SLOW], "timeout_seconds": 120}
        task = anyio.run(stored.scheduled, url, request)
        time.sleep(3)  # both have their tool server by now
        anyio.run(stored.order_at_once, url, task, 1)
        epoch, pid = until(lambda: _holder(connection, 0), seconds=10, what="the first claim")
        children = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        died = time.monotonic()
        until(lambda: _holder(connection, epoch), seconds=LEASE + 15, what="the second claim")
        took = time.monotonic() - died
        psutil.wait_procs(children, timeout=5)
        return took


def _holder(connection: Connection, after: int) -> tuple[int, int] | None:
    """Epoch and pid of who carries out the step, once the epoch is past this one."""
    found = connection.execute(HOLDER).fetchone()
    return (found[0], found[1]) if found and found[0] > after else None
