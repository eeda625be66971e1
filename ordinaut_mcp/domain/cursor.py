"""Cursors: where the next page of a list begins. Opaque to callers."""

from __future__ import annotations

import base64
import binascii
import re

from ordinaut_mcp.errors import InvalidInput

_CURSOR = re.compile(r"([a-z]+):before:([1-9][0-9]{0,17})")


def cursor_before(number: int, *, of: str) -> str:
    """The cursor of the page of this list that ends before the row with this number."""
    return base64.urlsafe_b64encode(f"{of}:before:{number}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str | None, *, of: str) -> int | None:
    """The number that the next page of this list ends before; None without a cursor.

    Raises:
        InvalidInput: `invalid_cursor`; the text did not come from an answer of this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    found = _CURSOR.fullmatch(text)
    if not found or found[1] != of:
        raise InvalidInput(
            "The cursor is not one of this list.",
            code="invalid_cursor",
            field="cursor",
            hint="Use next_cursor of the last answer as it is, or leave it out for the first page.",
        )
    return int(found[2])
