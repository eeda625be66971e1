"""Many runs in slices: ordered at once, drained by one worker that lives through all of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import anyio
import psutil
import stored
from children import Child
from harness import Ground
from questions import NEWEST, Connection, drained_rate, one

from ordinaut_mcp.domain.task import Task


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the runs, just drained."""

    number: int
    rate: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens: a database and the one worker over it."""

    url: str
    connection: Connection
    worker: Child


def drained_slices(
    ground: Ground, place: Place, task: Task, *, slices: int, each: int
) -> Generator[Slice, None, None]:
    """A slice comes in sight as one transaction; the next one when it is drained."""
    patience = ground.size(300, 50)
    for number in range(slices):
        after = one(place.connection, NEWEST)[0]
        anyio.run(stored.order_at_once, place.url, task, each)
        rate = drained_rate(place.connection, place.worker, each, after=after, seconds=patience)
        yield Slice(number, rate)


def no_op_task(url: str) -> Task:
    """The task whose runs are drained."""
    request: dict[str, Any] = {"schedule_expr": stored.NEVER, "pipeline": [stored.NO_OP]}
    return anyio.run(stored.scheduled, url, request)


def rss(started: Child) -> float:
    """The memory of a process in MiB, its children left out."""
    return psutil.Process(started.pid).memory_info().rss / (1024 * 1024)
