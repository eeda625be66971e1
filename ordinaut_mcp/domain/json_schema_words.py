"""What is wrong with a value, in words that a model can act on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from ordinaut_mcp.domain.clean import Path, field_path
from ordinaut_mcp.domain.nearest import did_you_mean

if TYPE_CHECKING:
    import jsonschema_rs

_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a value: where, what in words, and the keyword of the schema that says so.

    The path of a missing or unknown member is that of the member. `allowed` is what would have
    been accepted there; `schema_path` the way to the keyword through the schema.
    """

    path: Path
    message: str
    keyword: str
    allowed: tuple[str, ...] = ()
    schema_path: Path = ()

    def __str__(self) -> str:
        return f"{self.field('') or 'the value'} {self.message}"

    def field(self, root: str) -> str:
        """Where it is, below the argument `root`."""
        return field_path(root, self.path)


def problems_of(
    errors: Iterable[jsonschema_rs.ValidationError],
    *,
    schema: Mapping[str, Any],
    value: Any,
    most: int,
) -> list[Problem]:
    """At most `most` problems, members that are missing or unknown one by one."""
    told = (problem for error in errors for problem in _told(error, schema, value))
    return list(islice(dict.fromkeys(told), most))


def _told(
    error: jsonschema_rs.ValidationError, schema: Mapping[str, Any], value: Any
) -> list[Problem]:
    keyword, detail = error.kind.name, error.kind.as_dict()
    path: Path = tuple(error.instance_path)
    through: Path = tuple(error.evaluation_path)
    if keyword == "required":
        return [Problem((*path, detail["property"]), "is missing", keyword, (), through)]
    unknown = _unknown_members(error, value)
    if unknown:
        known = _known(schema, error.schema_path)
        return [
            Problem(
                (*path, name),
                f"is not known{did_you_mean(name, known)}",
                "additionalProperties",
                tuple(known[:20]),
                through,
            )
            for name in unknown
        ]
    message, allowed = _plain(keyword, detail, error.message)
    return [Problem(path, message, keyword, allowed, through)]


def _unknown_members(error: jsonschema_rs.ValidationError, value: Any) -> list[str]:
    """The names that `additionalProperties` refuses; without any known name it gives none."""
    detail = error.kind.as_dict()
    if "unexpected" in detail and error.kind.name != "unevaluatedItems":
        return [str(name) for name in detail["unexpected"]]
    if error.kind.name != "falseSchema" or error.schema_path[-1:] != ["additionalProperties"]:
        return []
    place = value
    for part in error.instance_path:
        place = place[part]
    return list(cast("dict[str, Any]", place)) if isinstance(place, dict) else []


def _plain(keyword: str, detail: Mapping[str, Any], message: str) -> tuple[str, tuple[str, ...]]:
    match keyword:
        case "type":
            types = tuple(str(each) for each in detail["types"])
            return f"must be {_or(types)}", types
        case "enum":
            options = tuple(_shown(each) for each in detail["options"][:20])
            return f"must be one of {', '.join(options)}", options
        case "const":
            expected = _shown(detail["expected_value"])
            return f"must be {expected}", (expected,)
        case "anyOf" | "oneOf" | "oneOfNotValid" | "oneOfMultipleValid":
            return f"must fit {'one' if keyword == 'anyOf' else 'exactly one'} of the forms", ()
        case "falseSchema":
            return "is not allowed", ()
        case "pattern":
            return f"must match the pattern {_shown(detail['pattern'])}", ()
        case _:
            return _cut(message), ()


def _known(schema: Mapping[str, Any], schema_path: Iterable[str | int]) -> list[str]:
    """The names of members that are known where the keyword stands."""
    place: Any = schema
    for part in list(schema_path)[:-1]:
        try:
            place = place[part]
        except (LookupError, TypeError):
            return []
    members: Any = cast("Mapping[str, Any]", place).get("properties")
    return list(cast("dict[str, Any]", members)) if isinstance(members, dict) else []


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def _shown(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
