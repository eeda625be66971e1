"""How long, how wild, and how much: from the environment or from the test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SHORT_SEED: Final = 20_261_122
LONG_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wildness:
    """One campaign. The same seed asks for the same deeds and the same load, in the same order."""

    seed: int
    seconds: float
    tasks: int = 24
    orders_per_second: float = 3
    lease_seconds: float = 2
    processes: int = 3
    drain_seconds: float = 90


def short() -> Wildness:
    """What `make test` runs."""
    return Wildness(seed=SHORT_SEED, seconds=40, tasks=16, orders_per_second=2)


def long(environment: Mapping[str, str] = os.environ) -> Wildness | None:
    """What `make chaos` asks for: ORDINAUT_CHAOS_SECONDS and ORDINAUT_CHAOS_SEED; else None."""
    seconds = environment.get("ORDINAUT_CHAOS_SECONDS")
    if seconds is None:
        return None
    seed = int(environment.get("ORDINAUT_CHAOS_SEED") or SHORT_SEED)
    return Wildness(seed=seed, seconds=float(seconds), tasks=40, orders_per_second=8)
