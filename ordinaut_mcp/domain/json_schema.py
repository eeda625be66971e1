"""JSON Schema with bounds (security.md U14), checked by jsonschema_rs.

2020-12, or draft-07 where the schema says so. Nothing is fetched. Patterns run in a linear
engine. What a check can cost is counted before it is made.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from ordinaut_mcp.domain.clean import Limits, Path, clean_json, field_path, json_size
from ordinaut_mcp.domain.json_schema_cost import widths_of
from ordinaut_mcp.domain.json_schema_graph import SchemaGraph, Subschema
from ordinaut_mcp.domain.json_schema_words import Problem, problems_of
from ordinaut_mcp.errors import InvalidInput

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Problem", "Validator", "compile_schema"]

LARGEST: Final = 64 * 1024
WIDEST: Final = 50_000
"""Subschemas that one value may meet at the top."""
MOST_CHECKS: Final = 20_000_000
"""Subschemas met over a whole value; about a quarter of a second of native code."""
MOST_DETAIL: Final = 16_000_000
"""Checks times bytes up to which problems are told one by one: the library copies each value."""
DEEPEST: Final = 200
"""Levels of a value: the native code recurses."""
MOST_PATTERNS: Final = 100
LARGEST_PATTERN: Final = 256 * 1024

_SCHEMA_LIMITS: Final = Limits(depth=64, size=LARGEST)
_DRAFT_07: Final = "json-schema.org/draft-07/schema"
_DIALECTS: Final = ("json-schema.org/draft/2020-12/schema", _DRAFT_07)


@dataclass(frozen=True, slots=True)
class Validator:
    """A compiled schema. `warnings` tell what of a foreign schema is not checked."""

    schema: Mapping[str, Any]
    warnings: tuple[str, ...]
    _native: jsonschema_rs.Validator
    _widths: tuple[int, ...]

    def problems(self, value: Any, *, most: int = 10) -> list[Problem]:
        """What is wrong with a JSON value, at most so many things; empty when it fits.

        A value whose check would cost too much gives one problem that says so.
        """
        checks = self._checks(value)
        if checks > MOST_CHECKS:
            return [Problem((), "is too large to be checked against this schema", "too_complex")]
        try:
            if self._native.is_valid(value):
                return []
            if checks * json_size(value, MOST_DETAIL) > MOST_DETAIL:
                return [Problem((), "does not fit the schema", "schema")]
            errors = self._native.iter_errors(value)
            return problems_of(errors, schema=self.schema, value=value, most=most)
        except (ValueError, TypeError, RecursionError) as error:
            return [Problem((), f"cannot be checked: {str(error)[:200]}", "schema")]

    def _checks(self, value: Any) -> int:
        """Upper bound of the subschemas met over the whole value."""
        total = 0
        level: list[Any] = [value]
        depth = 0
        while level:
            if depth > DEEPEST:
                return MOST_CHECKS + 1
            total += len(level) * self._widths[min(depth, len(self._widths) - 1)]
            level = [child for part in level for child in _children(part)]
            depth += 1
        return total


def _children(part: object) -> list[Any]:
    if isinstance(part, dict):
        return list(cast("dict[str, Any]", part).values())
    return cast("list[Any]", part) if isinstance(part, list) else []


def compile_schema(schema: object, *, field: str, trusted: bool = True) -> Validator:
    """Compile a schema once for many checks.

    `trusted` schemas are written by our caller, who can mend them: whatever is doubtful is an
    error. Of a foreign one (a tool server's) what cannot be checked safely is left out, with a
    warning; what makes it unusable is an error all the same.

    Raises:
        InvalidInput: wrong_type, too_large, too_complex, unsupported_dialect, external_ref,
            unsupported_pattern or invalid_schema.
    """
    if not isinstance(schema, dict):
        raise InvalidInput(
            f"{field} must be an object, a JSON Schema", code="wrong_type", field=field
        )
    document = cast("dict[str, Any]", schema)
    _check_size(document, field)
    _check_dialect(document, field)
    document = document if trusted else copy.deepcopy(document)
    graph = SchemaGraph(document, field=field)
    warnings = _check_patterns(graph.subschemas, field, trusted=trusted)
    if trusted:
        _check_enums(graph.subschemas, field)
    widths = widths_of(graph)
    if widths[0] > WIDEST:
        raise _refused(field, "too_complex", "is too complex: its parts multiply")
    return Validator(document, tuple(warnings), _compiled(document, field), tuple(widths))


def _check_size(schema: dict[str, Any], field: str) -> None:
    try:
        clean_json(schema, field=field, limits=_SCHEMA_LIMITS)
    except InvalidInput as error:
        code = {"too_large": "too_large", "too_deep": "too_complex"}.get(error.code)
        code = code or ("too_complex" if error.code == "too_many_keys" else "invalid_schema")
        raise InvalidInput(error.message, code=code, field=field) from error


def _check_dialect(schema: dict[str, Any], field: str) -> None:
    named = schema.get("$schema")
    if named is None:
        return
    if not isinstance(named, str) or _plain(named) not in _DIALECTS:
        raise InvalidInput(
            f"{field}: the dialect in $schema is not supported",
            code="unsupported_dialect",
            field=field,
            allowed=[f"https://{dialect}" for dialect in _DIALECTS],
        )


def _plain(dialect: str) -> str:
    return dialect.removeprefix("http://").removeprefix("https://").removesuffix("#")


def _check_enums(subschemas: list[Subschema], field: str) -> None:
    if any(each.node.get("enum") == [] for each in subschemas):
        raise _refused(field, "invalid_schema", "has an empty 'enum', which nothing can fit")


def _check_patterns(subschemas: list[Subschema], field: str, *, trusted: bool) -> list[str]:
    """Every pattern compiles in the linear engine; a foreign one that does not is left out."""
    warnings: list[str] = []
    seen = 0
    for subschema in subschemas:
        for pattern in _patterns(subschema.node):
            seen += 1
            if seen <= MOST_PATTERNS and _is_linear(pattern):
                continue
            if trusted:
                raise _refused(
                    field,
                    "unsupported_pattern",
                    f"has the pattern '{pattern[:80]}', which is too large, or uses look-around "
                    "or back-references",
                )
            _leave_out(subschema.node, pattern)
            warnings.append(f"{field}: the pattern '{pattern[:80]}' is not checked")
    return warnings


def _patterns(node: dict[str, Any]) -> list[str]:
    own = node.get("pattern")
    by_pattern = node.get("patternProperties")
    keys = list(cast("dict[str, Any]", by_pattern)) if isinstance(by_pattern, dict) else []
    return ([own] if isinstance(own, str) else []) + keys


def _leave_out(node: dict[str, Any], pattern: str) -> None:
    if node.get("pattern") == pattern:
        del node["pattern"]
    by_pattern = node.get("patternProperties")
    if isinstance(by_pattern, dict) and pattern in by_pattern:
        del by_pattern[pattern]
        # They would now refuse what the pattern had let in.
        node.pop("additionalProperties", None)
        node.pop("unevaluatedProperties", None)


def _is_linear(pattern: str) -> bool:
    try:
        _native().Draft202012Validator({"pattern": pattern}, pattern_options=_engine())
    except ValueError:
        return False
    return True


def _native():
    """The library, imported when it is first needed: 13 ms that most processes never spend."""
    import jsonschema_rs

    return jsonschema_rs


def _engine() -> jsonschema_rs.RegexOptions:
    return _native().RegexOptions(size_limit=LARGEST_PATTERN, dfa_size_limit=LARGEST_PATTERN)


def _compiled(schema: dict[str, Any], field: str) -> jsonschema_rs.Validator:
    is_draft_07 = _plain(str(schema.get("$schema"))) == _DRAFT_07
    native = _native()
    dialect = native.Draft7Validator if is_draft_07 else native.Draft202012Validator
    try:
        return dialect(
            schema,
            retriever=_deny,
            validate_formats=False,
            pattern_options=_engine(),
            mask="the value",
        )
    except (ValueError, RecursionError) as error:
        raise _refused(
            field, "invalid_schema", f"is not a usable JSON Schema: {_where(error)}"
        ) from error


def _where(error: Exception) -> str:
    path = cast("Path", tuple(getattr(error, "instance_path", ())))
    message = str(getattr(error, "message", error))[:200]
    return f"{field_path('', path)}: {message}" if path else message


def _deny(uri: str) -> Any:
    raise ValueError(f"{uri[:80]} is not fetched")


def _refused(field: str, code: str, what: str) -> InvalidInput:
    return InvalidInput(f"{field} {what}", code=code, field=field)
