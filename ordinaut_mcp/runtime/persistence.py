"""What must be written is tried until it is, or until the lease ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import anyio

from ordinaut_mcp.errors import Unavailable

T = TypeVar("T")
TRY_AGAIN_AFTER = timedelta(milliseconds=250)


class LeaseLost(Exception):
    """Another worker holds the run now; whatever this one found is dropped."""


async def persisted(write: Callable[[], Awaitable[T]]) -> T:
    """The answer of `write`, once the database gives one.

    It has no time limit of its own: it always runs inside an attempt, which ends with its lease.
    """
    while True:
        try:
            return await write()
        except Unavailable:
            await anyio.sleep(TRY_AGAIN_AFTER.total_seconds())


async def fenced(write: Callable[[], Awaitable[bool]]) -> None:
    """As `persisted`, and the lease must still be held.

    Raises:
        LeaseLost: the write was refused.
    """
    if not await persisted(write):
        raise LeaseLost
