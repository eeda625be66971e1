"""The bound on how long a rule may be searched, in steps and not in seconds."""

from __future__ import annotations

from typing import Final

from ordinaut_mcp.errors import InvalidInput

SEARCH_STEPS: Final = 10_000
"""Periods that one search may visit; some milliseconds on any machine."""


class Budget:
    """Counts the periods that a search visits, and ends it when they are too many."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = SEARCH_STEPS) -> None:
        self.limit = limit
        self.used = 0

    def spend(self) -> None:
        """Count one step.

        Raises:
            InvalidInput: `too_complex`, when the limit is passed.
        """
        self.used += 1
        if self.used > self.limit:
            raise InvalidInput(
                f"The schedule names no time within {self.limit} steps of search.",
                code="too_complex",
                field="schedule_expr",
                hint="Use fewer conditions at once, or a smaller INTERVAL.",
            )
