"""What every row is made of: values of alternated rounds, goals, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of all rounds; what is told is their median, between least and most."""

    values: tuple[float, ...]
    of_all: float | None = None
    """A percentile of everything that was measured, where rounds are too small for one."""

    @property
    def median(self) -> float:
        return median(self.values) if self.of_all is None else self.of_all

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def over(self, other: Spread) -> Spread:
        """Round by round: neighbours in time are divided by each other, never strangers."""
        pairs = zip(self.values, other.values, strict=True)
        return Spread(tuple(ours / theirs for ours, theirs in pairs))


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on the ratio, or on our own value."""

    limit: float
    kind: Literal["at least", "at most"]
    of: Literal["ratio", "ours"]

    def verdict(self, value: float) -> str:
        """`met`, or by how much of the limit it is missed."""
        met = value >= self.limit if self.kind == "at least" else value <= self.limit
        if met:
            return "met"
        if not self.limit:
            return f"missed by {value:g}"
        return f"missed by {abs(value - self.limit) / self.limit:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the table. `failure` stands in place of values."""

    row: str
    figure: str
    unit: str = ""
    ours: Spread | None = None
    peer: str = ""
    theirs: Spread | None = None
    goal: Goal | None = None
    remark: str = ""
    failure: str = ""

    @property
    def ratio(self) -> Spread | None:
        """Ours over theirs, where both were measured in the same rounds."""
        if self.ours is None or self.theirs is None:
            return None
        if len(self.ours.values) != len(self.theirs.values):
            return Spread((self.ours.median / self.theirs.median,))
        return self.ours.over(self.theirs)

    @property
    def verdict(self) -> str:
        """What the goal says of it."""
        if self.failure:
            return "failed"
        judged = self.ratio if self.goal and self.goal.of == "ratio" else self.ours
        if self.goal is None or judged is None:
            return "-"
        return self.goal.verdict(judged.median)


Measure = Callable[[], float]


class Server(Protocol):
    """The face of the one PostgreSQL that rows see (server.py)."""

    folder: Path

    def database(self, *, migrated: bool = True) -> AbstractContextManager[str]:
        """The URL of a fresh database that is dropped at the end of the block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the rows stand on: the one server, how many rounds, and whether it must be quick."""

    server: Server
    rounds: int
    quick: bool

    def size(self, full: int, quick: int) -> int:
        """How much of something to measure with."""
        return quick if self.quick else full

    def alternated(self, ours: Measure, theirs: Measure) -> tuple[Spread, Spread]:
        """Ours, the peer, ours, the peer …; who is first changes with each round."""
        found: tuple[list[float], list[float]] = ([], [])
        measures = (ours, theirs)
        for at in range(self.rounds):
            for which in (0, 1) if at % 2 == 0 else (1, 0):
                found[which].append(measures[which]())
        return Spread(tuple(found[0])), Spread(tuple(found[1]))

    def repeated(self, measure: Measure, *, times: int | None = None) -> Spread:
        """The same again and again, where nobody is beside us."""
        return Spread(tuple(measure() for _ in range(times or self.rounds)))


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share of the values does not pass."""
    ordered = sorted(values)
    if not ordered:
        raise RuntimeError("nothing was measured")
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
