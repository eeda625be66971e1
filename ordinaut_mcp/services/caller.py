"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """An agent as its session names it; nothing in the arguments can change who it is."""

    agent: str
    local: bool = True
