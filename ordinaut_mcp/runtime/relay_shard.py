"""One shard's way from the outbox to its stream; domain/outbox.py says why nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import TypeVar, assert_never

from ordinaut_mcp.domain.outbox import (
    Foreign,
    Hold,
    Moved,
    OutboxEvent,
    Published,
    Turn,
    marked_up_to,
    next_number,
)
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.ports import Outbox, Spine

log = logging.getLogger(__name__)

T = TypeVar("T")
FEWEST = 50
MOST = 1000
MOST_BYTES = 4 * 1024 * 1024
"""Of the data of one batch: Redis serves nobody else while it takes one."""


class Progress(Enum):
    """What came of a turn."""

    NOTHING = auto()
    """Nothing could be begun."""
    ALL = auto()
    """All that waited is published."""
    MORE = auto()
    """There may be more to publish."""


class HoldLost(Exception):
    """Another relay publishes the shard now."""


class SpineAway(Exception):
    """The spine took nothing; the events wait in the outbox."""


class ShardRelay:
    """Publishes one shard in batches. It asks nothing of time, and may be stopped anywhere."""

    def __init__(self, hold: Hold, outbox: Outbox, spine: Spine, *, deployment: str) -> None:
        self.hold = hold
        self._outbox = outbox
        self._spine = spine
        self._deployment = deployment
        self._reached: int | None = None
        """What the stream has reached, and nothing is marked beyond it; None: to be found out."""
        self._limit = FEWEST

    async def align(self) -> None:
        """See whether the stream lost something, and have all that it lost published again.

        Raises:
            HoldLost, SpineAway, Unavailable: what was found out until then stays true.
        """
        found = await _answered(self._spine.reached(self.hold.shard, deployment=self._deployment))
        if isinstance(found, Foreign):
            raise _foreign(found)
        if found < marked_up_to(self.hold.position) and found != self._reached:
            log.warning(
                "the stream of shard %d is at %d and was at %d: what it lost is published again",
                self.hold.shard,
                found,
                marked_up_to(self.hold.position),
            )
            if not await self._outbox.rewind(self.hold, reached=found):
                raise HoldLost
        self._reached = found

    async def turn(self) -> Progress:
        """Publish one batch.

        Raises:
            HoldLost, SpineAway, Unavailable: the batch may have been published or not; it is
                published again, unless it is known to be marked.
        """
        if self._reached is None:
            await self.align()
            return Progress.MORE
        number = next_number(self.hold.position, self._reached)
        limit = self._limit
        events = await self._outbox.begin(
            self.hold, number=number, limit=limit, most_bytes=MOST_BYTES
        )
        if not events:
            return Progress.NOTHING
        self.hold = replace(self.hold, position=number)
        if not await self._published(events, self._reached, number):
            return Progress.MORE
        if not await self._outbox.mark(self.hold, events):
            raise HoldLost
        self._reached = number
        self.hold = replace(self.hold, position=number + 1)
        return self._paced(events, limit)

    async def _published(self, events: Sequence[OutboxEvent], expected: int, number: int) -> bool:
        turn = Turn(
            deployment=self._deployment, shard=self.hold.shard, expected=expected, number=number
        )
        outcome = await _answered(self._spine.publish(turn, events))
        match outcome:
            case Published():
                return True
            case Moved():
                self._reached = None
                return False
            case Foreign():
                raise _foreign(outcome)
            case _:
                assert_never(outcome)

    def _paced(self, events: Sequence[OutboxEvent], limit: int) -> Progress:
        """Read more at once while there is more, and little where events are large."""
        if len(events) == limit:
            self._limit = min(limit * 2, MOST)
            return Progress.MORE
        # Counted in characters, of which some are several bytes.
        if sum(len(event.data) for event in events) < MOST_BYTES // 8:
            return Progress.ALL
        self._limit = min(len(events) * 2, MOST)
        return Progress.MORE


async def _answered(question: Awaitable[T]) -> T:
    try:
        return await question
    except Unavailable as error:
        raise SpineAway(error.message) from error


def _foreign(found: Foreign) -> SpineAway:
    return SpineAway(
        f"This Redis holds the events of another Ordinaut ({found.deployment}), and two never share"
        " one: set ORDINAUT_REDIS_URL to another Redis, or to another database of this one."
    )
