"""Writes that gather into batches: one alone when idle, many together under load."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

import anyio
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.run import Lease
from ordinaut_mcp.errors import OrdinautError, Unavailable

log = logging.getLogger(__name__)

LARGEST = 200
LANES = 2
"""So many batches are under way at once: while one waits for the disk, another is on its way."""
WITHIN = timedelta(seconds=20)


class Leased(Protocol):
    """What is written under a lease."""

    @property
    def lease(self) -> Lease:
        """The right to write it."""
        ...


T = TypeVar("T", bound=Leased)


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    item: T
    woken: anyio.Event = field(default_factory=anyio.Event)
    leads: bool = False
    is_done: bool = False
    is_held: bool = False
    error: Exception | None = None


class Batches(Generic[T]):
    """Whoever comes first writes for all that came meanwhile; there is no loop of its own.

    `write` gets the items of one batch and gives back the leases that are lost.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[set[Lease]]]) -> None:
        self._write = write
        self._waiting: deque[_Entry[T]] = deque()
        self._leaders = 0

    async def submit(self, item: T) -> bool:
        """Write the item; whether its lease was still held.

        Raises:
            Unavailable: nothing of the batch was stored.
        """
        entry = _Entry(item)
        self._waiting.append(entry)
        try:
            if self._leaders < LANES:
                self._leaders += 1
                entry.leads = True
            else:
                await entry.woken.wait()
            if entry.leads:
                await self._lead(entry)
        finally:
            self._leave(entry)
        if entry.error is not None:
            raise entry.error
        return entry.is_held

    async def _lead(self, own: _Entry[T]) -> None:
        await checkpoint()  # who is ready now comes along
        own.woken = anyio.Event()
        while not own.is_done:
            batch = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
            if not batch:
                self._step_back(own)  # the other leader has it
                await own.woken.wait()
                continue
            # The others' writes must not be torn by the end of this one's attempt.
            with CancelScope(shield=True):
                await self._carry_out(batch)

    async def _carry_out(self, batch: Sequence[_Entry[T]]) -> None:
        try:
            with anyio.fail_after(WITHIN.total_seconds()):
                lost = await self._write([entry.item for entry in batch])
        except TimeoutError:
            _end(batch, set(), Unavailable("The database did not answer in time."))
        except OrdinautError as error:
            _end(batch, set(), error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("a write was refused")
                _end(batch, set(), error)
            for entry in batch if len(batch) > 1 else ():
                await self._carry_out([entry])  # one of them is to blame, and only that one
        else:
            _end(batch, lost)

    def _step_back(self, entry: _Entry[T]) -> None:
        entry.leads = False
        self._leaders -= 1
        self._hand_over()

    def _leave(self, entry: _Entry[T]) -> None:
        if entry in self._waiting:  # else it is being written, or it is
            self._waiting.remove(entry)
        if entry.leads:
            self._leaders -= 1
            self._hand_over()

    def _hand_over(self) -> None:
        for entry in self._waiting:
            if not entry.leads:
                entry.leads = True
                self._leaders += 1
                entry.woken.set()
                return


def _end(batch: Sequence[_Entry[T]], lost: set[Lease], error: Exception | None = None) -> None:
    for entry in batch:
        entry.is_done = True
        entry.error = error
        entry.is_held = entry.item.lease not in lost
        entry.woken.set()
