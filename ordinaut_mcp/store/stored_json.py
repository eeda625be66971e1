"""JSON columns read one by one, so that a row that cannot be read spoils no list."""

from __future__ import annotations

import json
from typing import Any, Final

UNREADABLE: Final = {"unreadable": "What is stored here is no JSON that can be read."}


def readable(text: str | None) -> Any:
    """The value of a `jsonb` column that was asked for as text; a stand-in when it has none.

    PostgreSQL keeps numbers of any length, and Python reads none of more than 4,300 digits.
    """
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return dict(UNREADABLE)
