"""The one place that reads this machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The instant now, aware, in UTC. Due-ness is decided by PostgreSQL's clock, not by this."""
    return datetime.now(UTC)
