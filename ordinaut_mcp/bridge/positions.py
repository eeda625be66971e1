"""Where the members of a JSON object stand in its text, so that a mistake can name its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Member:
    """One `"name": value` of an object; `at` and `value_at` are offsets into the text."""

    name: str
    value: Any
    at: int
    value_at: int


def members(text: str, at: int = 0) -> Iterator[Member]:
    """The members of the object that begins at `at`, in order, repeated names included.

    The text must be one that `json.loads` accepts. Anything but an object has no members.
    """
    decode = JSONDecoder().raw_decode
    at = _past_blank(text, at)
    if text[at] != "{":
        return
    at = _past_blank(text, at + 1)
    while text[at] != "}":
        name, end = decode(text, at)
        value_at = _past_blank(text, _past_blank(text, end) + 1)
        value, end = decode(text, value_at)
        yield Member(name, value, at, value_at)
        at = _past_blank(text, end)
        if text[at] == ",":
            at = _past_blank(text, at + 1)


def line_of(text: str, at: int) -> int:
    """The line, counted from 1, of an offset."""
    return text.count("\n", 0, at) + 1


def _past_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at
