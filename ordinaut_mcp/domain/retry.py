"""How long a failed attempt rests before it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any


class Backoff(StrEnum):
    """How the rests grow."""

    EXPONENTIAL_JITTER = "exponential_jitter"
    EXPONENTIAL = "exponential"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How many failures a run may have, and how long it rests after each.

    `exponential_jitter` draws between 50 and 100 % of `base` x 2^(failure - 1), so that runs
    which failed together do not come back together. No rest is above `longest`.
    """

    max_retries: int = 3
    backoff: Backoff = Backoff.EXPONENTIAL_JITTER
    base: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=300)

    def rest_after(self, failure: int, random: Random) -> timedelta:
        """The rest after failure number `failure`, counted from 1."""
        if self.backoff is Backoff.FIXED:
            return min(self.base, self.longest)
        # Past 2^30 every rest is the longest one, and timedelta would overflow.
        rest = min(self.base * 2 ** min(failure - 1, 30), self.longest)
        if self.backoff is Backoff.EXPONENTIAL:
            return rest
        return rest * random.uniform(0.5, 1.0)

    def delay_after(self, failure: int, random: Random) -> timedelta | None:
        """The rest before the next attempt; None when the retries are spent."""
        return None if failure > self.max_retries else self.rest_after(failure, random)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; `from_dict` reads it back."""
        return {
            "max_retries": self.max_retries,
            "backoff": self.backoff.value,
            "base_seconds": self.base.total_seconds(),
            "max_seconds": self.longest.total_seconds(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> RetryPolicy:
        """What `to_dict` gave."""
        return cls(
            max_retries=stored["max_retries"],
            backoff=Backoff(stored["backoff"]),
            base=timedelta(seconds=stored["base_seconds"]),
            longest=timedelta(seconds=stored["max_seconds"]),
        )
