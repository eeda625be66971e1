"""What is wrong with an entry of the tools file, and the kinds of value that entries hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeGuard, cast
from urllib.parse import urlsplit

from ordinaut_mcp.bridge.positions import Member, members
from ordinaut_mcp.domain.nearest import did_you_mean

HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""
VARIABLE_NAME: Final = re.compile(r"[^=\0]+")


class Mistake(Exception):
    """What is wrong with an entry: a sentence, the key that it is about, and its offset."""

    def __init__(self, message: str, *, key: str | None, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.at = at


def parts_of(text: str, at: int, known: Sequence[str], *, within: str = "") -> dict[str, Member]:
    """The members of the object at an offset, each known and said once. Raises: Mistake.

    `within` stands before the key in mistakes, as in `auth.`.
    """
    parts: dict[str, Member] = {}
    for part in members(text, at):
        if part.name in parts:
            raise Mistake("is said twice", key=within + part.name, at=part.at)
        if part.name not in known:
            wrong = f"is not known here{did_you_mean(part.name, known)}"
            raise Mistake(wrong, key=within + part.name, at=part.at)
        parts[part.name] = part
    return parts


def inner_parts(part: Member, text: str, known: Sequence[str]) -> dict[str, Member]:
    """The members of an object inside an entry; their names carry its name. Raises: Mistake."""
    if not isinstance(part.value, dict):
        wrong = f"must be an object of {', '.join(known)}"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    found = parts_of(text, part.value_at, known, within=f"{part.name}.")
    return {
        name: Member(f"{part.name}.{name}", one.value, one.at, one.value_at)
        for name, one in found.items()
    }


def text_of(part: Member) -> str:
    """A text that is not empty. Raises: Mistake."""
    if not part.value or not _is_text(part.value):
        raise Mistake("must be a text", key=part.name, at=part.value_at)
    return part.value


def texts_of(part: Member) -> Iterator[str]:
    """A list of texts. Raises: Mistake."""
    given: object = part.value
    if not isinstance(given, list):
        raise Mistake("must be a list of texts", key=part.name, at=part.value_at)
    for text in cast("list[object]", given):
        if not _is_text(text):
            raise Mistake("must be a list of texts", key=part.name, at=part.value_at)
        yield text


def named_texts_of(part: Member, name: re.Pattern[str]) -> Mapping[str, str]:
    """An object that gives each name a text, a header's without line breaks. Raises: Mistake."""
    given: object = part.value
    if not isinstance(given, dict):
        wrong = "must be an object that gives each name a text"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    for key, value in cast("dict[str, object]", given).items():
        if not _is_text(value) or (name is HEADER_NAME and re.search(r"[\r\n]", value)):
            raise Mistake(f"{key!r} must be a text", key=part.name, at=part.value_at)
        if not name.fullmatch(key):
            raise Mistake(f"{key!r} cannot be a name here", key=part.name, at=part.value_at)
    return cast("dict[str, str]", given)


def number_of(part: Member, least: int, most: int) -> int:
    """A whole number of this range. Raises: Mistake."""
    value: object = part.value
    if type(value) is not int or not least <= value <= most:
        wrong = f"must be a whole number from {least} to {most}"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return value


def url_of(part: Member) -> str:
    """An http or https URL that holds no credentials. Raises: Mistake."""
    url = text_of(part)
    try:
        pieces = urlsplit(url)
        pieces.port  # noqa: B018 - raises for what is no port
    except ValueError:
        raise Mistake("is not a URL", key=part.name, at=part.value_at) from None
    if pieces.scheme not in {"http", "https"} or not pieces.hostname:
        raise Mistake("must begin with http:// or https://", key=part.name, at=part.value_at)
    if pieces.username or pieces.password:
        wrong = "must not hold a name or password: use headers"
        raise Mistake(wrong, key=part.name, at=part.value_at)
    return url


def _is_text(value: object) -> TypeGuard[str]:
    """Text that can be given to a process: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
