"""Instants as callers write them: ISO 8601, with an offset or local to a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from ordinaut_mcp.domain.zone import shifted_instant, zone
from ordinaut_mcp.errors import InvalidInput

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)


def parse_instant(text: str, *, field: str, timezone: str) -> datetime:
    """The instant that the text names, aware, in UTC; without an offset it is local to the zone.

    Source: ISO 8601 as RFC 3339 profiles it; a date alone is its midnight.

    Raises:
        InvalidInput: `invalid_instant`; it is no such text, or no such date.
    """
    try:
        moment = datetime.fromisoformat(text) if _ISO.fullmatch(text) else None
        if moment is not None:
            return (
                moment.astimezone(UTC) if moment.tzinfo else shifted_instant(moment, zone(timezone))
            )
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"'{text[:60]}' is no date and time.",
        code="invalid_instant",
        field=field,
        hint=f"Write it like 2026-12-24T18:00 (then it is local to {timezone}) or with an offset:"
        " 2026-12-24T18:00+02:00.",
    )


def local_text(instant: datetime, timezone: str) -> str:
    """The instant as ISO 8601 with the offset that holds in the zone, in whole seconds or finer.

    In a zone that tzdata does not know any more, in UTC: a list must not fail for one row.
    """
    return instant.astimezone(_zone_or_utc(timezone)).isoformat()


def utc_text(instant: datetime) -> str:
    """The instant as ISO 8601 in UTC, with a `Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def spoken(instant: datetime, timezone: str) -> str:
    """The instant for a sentence: `Thu 24 Dec 2026 18:00`, with seconds where they matter."""
    local = instant.astimezone(_zone_or_utc(timezone))
    return local.strftime("%a %d %b %Y %H:%M:%S" if local.second else "%a %d %b %Y %H:%M")


def _zone_or_utc(timezone: str) -> tzinfo:
    try:
        return zone(timezone)
    except InvalidInput:
        return UTC
