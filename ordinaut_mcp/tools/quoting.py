"""Foreign text inside the text of an answer: visibly somebody else's words, and bounded."""

from __future__ import annotations

import json
from typing import Any

SHOWN = 500
"""Characters of one text that a list shows; its structured content has all of it."""


def quoted(text: str, *, whole: bool = False) -> list[str]:
    """The text as lines that begin with `> `; no character in it can begin a line of its own."""
    shown = text if whole or len(text) <= SHOWN else text[:SHOWN]
    lines = [f"> {line}" for line in shown.splitlines()]
    return lines if shown == text else [*lines, f"> … ({len(text)} characters in all)"]


def quoted_json(value: Any, *, whole: bool = False) -> list[str]:
    """JSON in one quoted line; nothing where there is none."""
    if not value:
        return []
    return quoted(f"data: {json.dumps(value, ensure_ascii=False)}", whole=whole)
