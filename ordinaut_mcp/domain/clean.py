"""The one gate for JSON at every entrance: what PostgreSQL, the wire and a reader can bear.

Nothing is repaired or dropped: a value passes as it is, or is refused with the path of the
part that is wrong. There are no lists of forbidden words: `DROP TABLE` is legal text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ordinaut_mcp.domain.line import one_line
from ordinaut_mcp.errors import InvalidInput

__all__ = [
    "BODY",
    "OUTPUT",
    "PARAMS",
    "Limits",
    "Path",
    "clean_json",
    "field_path",
    "in_range",
    "json_size",
    "one_line",
    "strict_loads",
    "whole_number",
]

LARGEST_INTEGER: Final = 2**63
"""Integers stay below it in size, as in a bigint column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a JSON value may be; `size` is in bytes of compact UTF-8 JSON."""

    depth: int = 32
    keys: int = 1_000
    nodes: int = 10_000
    size: int = 256 * 1024


PARAMS: Final = Limits()
OUTPUT: Final = Limits(nodes=200_000, keys=50_000, size=1024 * 1024)
"""For what tools return: wider, because nobody wrote it by hand."""
BODY: Final = Limits(depth=200, nodes=200_000, keys=50_000, size=1024 * 1024)
"""For a whole request, whose parts are held to their own limits afterwards."""

_WRITTEN: Final = json.JSONEncoder(ensure_ascii=False).encode

Path = tuple[str | int, ...]


def field_path(field: str, path: Iterable[str | int]) -> str:
    """`params` and ("a", 3) as `params.a[3]`."""
    for part in path:
        if isinstance(part, int):
            field += f"[{part}]"
        else:
            field += f".{part}" if field else part
    return field


def clean_json(value: object, *, field: str, limits: Limits = PARAMS) -> Any:
    """Give back `value` itself, proved to be JSON that can be stored and shown.

    `field` names the value in errors; the part that is wrong is added to it
    (`params.a[3]`), except that what is too deep or too large is told of the whole.

    Raises:
        InvalidInput: too_deep, too_many_keys, too_large, invalid_number, invalid_text,
            invalid_key, duplicate_key or wrong_type.
    """
    walk = _Walk(field=field, limits=limits)
    walk.take(value)
    return value


def json_size(value: object, limit: int) -> int:
    """Bytes of `value` as compact JSON, counted no further than just past `limit`.

    Parts that are shared inside `value` count each time, as they would when written out.
    """
    size = 0
    rest: list[object] = [value]
    while rest and size <= limit:
        part = rest.pop()
        size += _own_size(part)
        if isinstance(part, Mapping):
            members = cast("Mapping[str, object]", part)
            size += sum(_text_size(key) + 2 for key in members)
            rest.extend(members.values())
        elif isinstance(part, list):
            rest.extend(cast("list[object]", part))
    return size


def _own_size(part: object) -> int:
    match part:
        case str():
            return _text_size(part) + 1
        case bool() | None:
            return 6
        case int() | float():
            return len(repr(part)) + 1
        case _:
            return 3


def _text_size(text: str) -> int:
    return len(_WRITTEN(text).encode("utf-8", "surrogatepass"))


class _RepeatedKey(dict[str, Any]):
    """An object of raw JSON that names one key twice."""

    def __init__(self, pairs: list[tuple[str, Any]], key: str) -> None:
        super().__init__(pairs)
        self.repeated = key


class _Walk:
    """One pass over a value, without recursion, so that depth cannot hurt."""

    def __init__(self, *, field: str, limits: Limits) -> None:
        self._field = field
        self._limits = limits
        self._nodes = 1
        self._size = 0
        self._rest: list[tuple[object, Path]] = []

    def take(self, value: object) -> None:
        self._rest.append((value, ()))
        while self._rest:
            self._take_one(*self._rest.pop())

    def _take_one(self, part: object, path: Path) -> None:
        self._count(part, path)
        match part:
            case None | bool():
                pass
            case str():
                self._take_text(part, path)
            case int() | float():
                self._take_number(part, path)
            case dict():
                self._take_object(cast("dict[object, object]", part), path)
            case list():
                items = cast("list[object]", part)
                self._room_for(len(items))
                self._rest.extend((item, (*path, at)) for at, item in enumerate(items))
            case _:
                raise self._refused(
                    "wrong_type", f"is a {type(part).__name__}, which JSON does not know", path
                )

    def _count(self, part: object, path: Path) -> None:
        if len(path) > self._limits.depth:
            raise self._refused("too_deep", f"nests deeper than {self._limits.depth} levels", ())
        self._size += _own_size(part)
        if self._size > self._limits.size:
            raise self._refused("too_large", f"is larger than {self._limits.size} bytes", ())

    def _room_for(self, more: int) -> None:
        self._nodes += more
        if self._nodes > self._limits.nodes:
            raise self._refused("too_large", f"has more than {self._limits.nodes} values", ())

    def _take_text(self, text: str, path: Path, code: str = "invalid_text") -> None:
        if "\0" in text:
            raise self._refused(code, "contains the character NUL, which cannot be stored", path)
        if not text.isascii() and _has_lone_surrogate(text):
            raise self._refused(code, "contains half of a surrogate pair", path)

    def _take_number(self, number: float, path: Path) -> None:
        if isinstance(number, int):
            if abs(number) >= LARGEST_INTEGER:
                raise self._refused("invalid_number", "is an integer of more than 63 bits", path)
        elif not math.isfinite(number):
            raise self._refused("invalid_number", "is not a finite number", path)

    def _take_object(self, members: dict[object, object], path: Path) -> None:
        if len(members) > self._limits.keys:
            raise self._refused(
                "too_many_keys", f"has more than {self._limits.keys} keys in one object", path
            )
        if isinstance(members, _RepeatedKey):
            raise self._refused(
                "duplicate_key", "is given twice in one object", (*path, members.repeated)
            )
        self._room_for(len(members))
        for key, member in members.items():
            self._rest.append((member, (*path, self._key(key, path))))

    def _key(self, key: object, path: Path) -> str:
        if not isinstance(key, str):
            raise self._refused("wrong_type", "has a key that is not text", path)
        if not key:
            raise self._refused("invalid_key", "has an empty key, which nothing can name", path)
        self._take_text(key, path, "invalid_key")
        self._size += _text_size(key) + 2
        return key

    def _refused(self, code: str, what: str, path: Path) -> InvalidInput:
        field = field_path(self._field, path)
        return InvalidInput(f"{_shown(field) or 'the value'} {what}", code=code, field=field)


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _shown(field: str) -> str:
    return field if len(field) <= 200 else field[:200] + "…"


def strict_loads(
    text: str | bytes, *, field: str = "(body)", root: str = "", limits: Limits = BODY
) -> Any:
    """Parse raw JSON as RFC 8259 with nothing bent, and clean it.

    Two equal keys, NaN, Infinity, numbers beyond a double or 63 bits are refused. `field`
    names the text when it cannot be read at all; paths inside it start from `root`.

    Raises:
        InvalidInput: parse_error, or what `clean_json` raises.
    """
    if len(text) > limits.size:
        raise InvalidInput(
            f"{field} is larger than {limits.size} bytes", code="too_large", field=field
        )
    try:
        value = json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{field} is not JSON", code="parse_error", field=field) from error
    return clean_json(value, field=root, limits=limits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _RepeatedKey(pairs, key)
        seen.add(key)
    raise AssertionError(pairs)


def _integer(digits: str) -> int:
    """Longer ones than 63 bits are replaced by one that the gate refuses, at no cost."""
    return int(digits) if len(digits) <= 20 else LARGEST_INTEGER


def whole_number(value: object, *, field: str, low: int, high: int) -> int:
    """An integer from `low` to `high`, both included.

    Raises:
        InvalidInput: wrong_type (texts, fractions and booleans are not bent) or out_of_range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{field} must be a whole number", code="wrong_type", field=field)
    return int(in_range(value, field=field, low=low, high=high))


def in_range(value: float, *, field: str, low: float, high: float) -> float:
    """The number itself, when `low` <= value <= `high`.

    Raises:
        InvalidInput: out_of_range.
    """
    if not low <= value <= high:
        raise InvalidInput(
            f"{field} must be from {low} to {high}",
            code="out_of_range",
            field=field,
            allowed=[f"{low}..{high}"],
        )
    return value
