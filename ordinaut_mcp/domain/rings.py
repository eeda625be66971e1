"""What the doorbell between processes can ring for."""

from __future__ import annotations

from typing import Final

SLOTS: Final = "slots"
"""A task was made or changed: the scheduler's next instant may be another."""
WORK: Final = "work"
"""A run was queued: workers may claim."""
CANCELS: Final = "cancels"
"""Somebody wants a running run to end: workers look whether it is one of theirs."""
