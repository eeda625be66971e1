"""Which due runs a claim in memory gets: limits are exact, keys and owners take turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import RunId
from tests.doubles.memory_work import Work


@dataclass(slots=True)
class Permit:
    """One place under a key."""

    owner: str
    key: str
    place: int
    freed_at: datetime
    run_id: RunId | None = None


class Permits:
    """All places, made before the first run needs them."""

    def __init__(self) -> None:
        self.all: list[Permit] = []

    def make(self, owner: str, limit: Limit, now: datetime) -> None:
        """Make what is missing."""
        there = len(self.under(owner, limit.key))
        self.all += [Permit(owner, limit.key, n, now) for n in range(there + 1, limit.places + 1)]

    def under(self, owner: str, key: str) -> list[Permit]:
        """The places of one key, in order."""
        return [one for one in self.all if (one.owner, one.key) == (owner, key)]

    def give_back(self, work: Work, now: datetime) -> None:
        """Free what the run holds, if anything."""
        for permit in self.all:
            if permit.run_id == work.id:
                permit.run_id, permit.freed_at = None, now

    def pair(self, due: Sequence[Work], most: int) -> list[Work]:
        """Give free places to runs that need them: the key that was served longest ago first."""
        wanting = [work for work in due if work.needs_permit]
        free = [one for one in self.all if any(_fits(one, work) for work in wanting)]
        free = sorted(free, key=lambda one: one.freed_at)[:most]
        taken: list[Work] = []
        for owner, key in dict.fromkeys((one.owner, one.key) for one in free):
            places = sorted(
                (one for one in free if (one.owner, one.key) == (owner, key)),
                key=lambda one: one.place,
            )
            fitting = sorted(
                (work for work in wanting if _fits(places[0], work)), key=lambda work: work.rank
            )
            for permit, work in zip(places, fitting, strict=False):
                if _fits(permit, work):
                    permit.run_id = work.id
                    taken.append(work)
        return taken


def in_turn(due: Iterable[Work], most: int, *, after: str) -> list[Work]:
    """What needs no permit: one of each owner in turn, beginning after the one served last."""
    queues: dict[str, list[Work]] = {}
    for work in sorted(due, key=lambda work: work.rank):
        if not work.needs_permit:
            queues.setdefault(work.owner, []).append(work)
    owners = sorted(queues, key=lambda owner: (owner <= after, owner))
    longest = max(map(len, queues.values()), default=0)
    turns = (queues[o][turn] for turn in range(longest) for o in owners if turn < len(queues[o]))
    return list(turns)[:most]


def _fits(permit: Permit, work: Work) -> bool:
    limit = work.limit
    return (
        limit is not None
        and permit.run_id is None
        and (permit.owner, permit.key) == (work.owner, limit.key)
        and permit.place <= limit.places
    )
