"""The raw arguments of a call, checked strictly before anything bends or drops them.

Unknown names, wrong types and values out of range are errors that name the argument and say
what is allowed. A list or object that arrives as a JSON string is accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from ordinaut_mcp.domain.clean import clean_json
from ordinaut_mcp.domain.run import no_such_run
from ordinaut_mcp.domain.task import no_such_task
from ordinaut_mcp.errors import InvalidInput, NotFound, OrdinautError, did_you_mean

REFERENCES: Final[Mapping[str, Callable[[str], NotFound]]] = {
    "task": no_such_task,
    "run": no_such_run,
}
"""What cannot be the name of anything names nothing, however it is malformed."""
CODES: Final[Mapping[str, str]] = {
    "type": "wrong_type",
    "minimum": "out_of_range",
    "maximum": "out_of_range",
    "exclusiveMinimum": "out_of_range",
    "exclusiveMaximum": "out_of_range",
    "minLength": "too_short",
    "maxLength": "too_long",
    "minItems": "too_short",
    "maxItems": "too_long",
    "enum": "not_allowed",
    "const": "not_allowed",
    "pattern": "invalid_text",
    "required": "missing",
    "additionalProperties": "unknown_field",
}
WORDS: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def checked_arguments(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as they were given, opened from JSON strings where the schema wants that.

    An explicit null is kept: it means "take this away" to an edit and "not given" elsewhere.

    Raises:
        InvalidInput: the first thing that does not fit, with its field.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    _refuse_unknown(given, list(properties))
    opened = {name: _opened(properties[name], value) for name, value in given.items()}
    clean = {name: _cleaned(name, value, properties[name]) for name, value in opened.items()}
    present = {name: value for name, value in clean.items() if value is not None}
    for name in schema.get("required", ()):
        if name not in present:
            raise _missing(name, properties[name], is_null=name in given)
    _refuse_misfits(schema, present)
    return clean


def of_argument(error: OrdinautError) -> OrdinautError:
    """The error as the argument tells it: a malformed name is one that names nothing."""
    return REFERENCES[error.field]("(unreadable)") if error.field in REFERENCES else error


def _cleaned(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if name in REFERENCES and not (len(value) <= 200 and value.isprintable()):
            raise REFERENCES[name](value)
        if len(value) > schema.get("maxLength", len(value)):
            return value  # its length is told below, in the argument's own words
    # A pipeline's values are cleaned part by part by its own reader, which names the step.
    if name == "pipeline" and isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType]
    if name == "payload" and isinstance(value, dict):
        payload = cast("dict[str, Any]", value)
        others = {key: part for key, part in payload.items() if key != "pipeline"}
        return {**payload, **clean_json(others, field=name)}
    return clean_json(value, field=name)


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in sorted(given):
        if name not in known:
            shown = name if len(name) <= 60 else name[:60] + "…"
            raise InvalidInput(
                f"There is no argument '{shown}'.",
                code="unknown_field",
                field=shown,
                hint=did_you_mean(name, known) or "Leave it out.",
                allowed=sorted(known),
            )


def _opened(schema: Mapping[str, Any], value: Any) -> Any:
    kinds = _kinds(schema)
    if not isinstance(value, str) or _takes(schema, value) or not kinds & {"array", "object"}:
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, list | dict) else value  # pyright: ignore[reportUnknownVariableType]


def _takes(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the text may be meant as it is."""
    options = schema.get("anyOf", (schema,))
    return any(
        option.get("type") == "string" and text in option.get("enum", (text,)) for option in options
    )


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kinds = {schema["type"]} if "type" in schema else set[str]()
    for option in schema.get("anyOf", ()):
        kinds |= _kinds(option)
    return kinds


def _missing(name: str, schema: Mapping[str, Any], *, is_null: bool) -> InvalidInput:
    if is_null:
        return InvalidInput(f"'{name}' may not be null.", code="wrong_type", field=name)
    about = schema.get("description", "")
    return InvalidInput(f"'{name}' is needed.", code="missing", field=name, hint=about or None)


def _refuse_misfits(schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    from jsonschema_rs import Draft202012Validator

    validator = Draft202012Validator(dict(schema), validate_formats=False)
    # Ordered by place, so that the same call always names the same argument first.
    errors = sorted(validator.iter_errors(dict(given)), key=lambda error: str(error.instance_path))
    for error in errors:
        raise _told(schema, error.instance_path, error.schema_path, error.instance)


def _told(
    schema: Mapping[str, Any], place: Sequence[str | int], rule: Sequence[str | int], value: Any
) -> InvalidInput:
    field = field_path(place)
    keyword = str(rule[-1])
    limits = _at(schema, rule[:-1])
    if keyword == "anyOf":
        allowed = " or ".join(sorted(WORDS[kind] for kind in _kinds(limits)))
        return _misfit("wrong_type", field, f"must be {allowed}")
    limit = limits.get(keyword)
    if keyword == "enum":
        choices = [str(choice) for choice in limit or ()]
        return InvalidInput(
            f"'{field}' is '{str(value)[:60]}', which is not one of the choices.",
            code=CODES[keyword],
            field=field,
            hint=did_you_mean(str(value)[:60], choices),
            allowed=choices,
        )
    return _misfit(CODES.get(keyword, "invalid"), field, _rule_in_words(keyword, limit, limits))


def _misfit(code: str, field: str, rule: str) -> InvalidInput:
    return InvalidInput(f"'{field}' {rule}.", code=code, field=field, allowed=[rule])


def _rule_in_words(keyword: str, limit: Any, limits: Mapping[str, Any]) -> str:
    match keyword:
        case "type":
            return f"must be {WORDS.get(str(limit), str(limit))}"
        case "minimum" | "maximum":
            low, high = limits.get("minimum"), limits.get("maximum")
            if low is not None and high is not None:
                return f"must be from {low:g} to {high:g}"
            return f"must be at least {low:g}" if high is None else f"must be at most {high:g}"
        case "minLength" | "minItems":
            return "must not be empty" if limit == 1 else f"needs at least {limit}"
        case "maxLength":
            return f"may have at most {limit} characters"
        case "maxItems":
            return f"may have at most {limit} entries"
        case "pattern":
            return f"must look like {limit}"
        case _:
            return f"does not fit '{keyword}'"


def _at(schema: Mapping[str, Any], path: Sequence[str | int]) -> Mapping[str, Any]:
    found: Any = schema
    for part in path:
        found = found[part]
    return found


def field_path(place: Sequence[str | int]) -> str:
    """`["pipeline", 0, "with"]` as `pipeline[0].with`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
