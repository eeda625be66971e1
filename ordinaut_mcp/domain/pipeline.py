"""From JSON to a pipeline, strictly: what is not understood is an error with its place.

Its values are cleaned here, part by part, so that each fault is named where it stands; a
caller passes the raw value. What the definition alone cannot tell (tools, references,
arguments) is for `pipeline_check`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from ordinaut_mcp.domain.clean import Limits, clean_json, json_size, whole_number
from ordinaut_mcp.domain.condition import Condition
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.pipeline_values import (
    LONGEST_TIMEOUT,
    a_boolean,
    a_retry,
    a_span,
    a_tool_name,
    a_word,
    an_id,
    an_object,
    an_on_error,
    missing,
    wrong_type,
)
from ordinaut_mcp.domain.step import OnError, OnUnknown, Pipeline, Step, StepRetry
from ordinaut_mcp.domain.template import templates_in
from ordinaut_mcp.errors import InvalidInput

__all__ = ["OnError", "OnUnknown", "Pipeline", "Step", "StepRetry", "parse_pipeline"]

MOST_STEPS: Final = 50
MOST_TEMPLATES: Final = 1_000
MOST_TOGETHER: Final = 50
LARGEST: Final = 64 * 1024
DEEPEST_PARALLEL: Final = 3

KEYS: Final = (
    "id",
    "uses",
    "with",
    "save_as",
    "if",
    "timeout_seconds",
    "retry",
    "on_error",
    "on_unknown",
    "for_each",
    "max_parallel",
    "parallel",
    "verify",
    "output_schema",
    "secret",
)
_CALL_KEYS: Final = ("with", "timeout_seconds", "retry", "on_unknown", "output_schema")
"""What belongs to a call and means nothing beside `parallel`."""
_VALUES: Final = Limits(size=1024 * 1024)
"""The size is that of the whole pipeline, told last so that smaller faults are named first."""


def parse_pipeline(raw: object, *, field: str = "pipeline") -> Pipeline:
    """Read a pipeline from JSON; `field` is the argument that it came in.

    Raises:
        InvalidInput: with the field of the fault (`pipeline[0].usse`) and its code; the message
            names the step.
    """
    parsing = _Parsing()
    pipeline = Pipeline(parsing.steps(raw, field, depth=1))
    parsing.check_whole(pipeline, field)
    if json_size(raw, LARGEST) > LARGEST:
        raise InvalidInput(f"{field} is larger than {LARGEST} bytes", code="too_large", field=field)
    return pipeline


class _Parsing:
    def __init__(self) -> None:
        self._count = 0
        self._templates = 0

    def steps(self, raw: object, field: str, *, depth: int) -> tuple[Step, ...]:
        if not isinstance(raw, list):
            raise wrong_type(field, "a list of steps")
        items = cast("list[object]", raw)
        self._count += len(items)
        if not items or self._count > MOST_STEPS:
            raise InvalidInput(
                f"{field} must have 1 to {MOST_STEPS} steps, those in 'parallel' counted",
                code="out_of_range",
                field=field,
            )
        return tuple(
            self._step(item, f"{field}[{at}]", depth=depth) for at, item in enumerate(items)
        )

    def _step(self, item: object, field: str, *, depth: int) -> Step:
        raw = an_object(item, field, KEYS)
        if "id" not in raw:
            raise missing(field, "id", "Give each step a name of its own.")
        step_id = an_id(raw["id"], f"{field}.id")
        return _naming(step_id, lambda: self._rest_of(step_id, raw, field, depth=depth))

    def _rest_of(self, step_id: str, raw: dict[str, Any], field: str, *, depth: int) -> Step:
        arguments = self._arguments(raw, field)
        for_each = self._for_each(raw, field)
        call = {} if "parallel" in raw else _call(raw, field)
        return Step(
            id=step_id,
            field=field,
            save_as=an_id(raw.get("save_as", step_id), f"{field}.save_as"),
            arguments=arguments,
            condition=_condition(raw, field, "if"),
            on_error=_read(raw, field, "on_error", an_on_error) or OnError(),
            for_each=for_each,
            max_parallel=_max_parallel(raw, field),
            parallel=self._parallel(raw, field, depth=depth),
            verify=_condition(raw, field, "verify"),
            secret=_read(raw, field, "secret", a_boolean) or False,
            keys=frozenset([*raw, *(["secrets"] if _names_secret(arguments, field) else [])]),
            **call,
        )

    def _arguments(self, raw: dict[str, Any], field: str) -> dict[str, Any]:
        value = an_object(raw.get("with", {}), f"{field}.with")
        clean_json(value, field=f"{field}.with", limits=_VALUES)
        self._count_templates(value, f"{field}.with")
        return value

    def _for_each(self, raw: dict[str, Any], field: str) -> str | list[Any] | None:
        if "for_each" not in raw:
            return None
        value, field = raw["for_each"], f"{field}.for_each"
        clean_json(value, field=field, limits=_VALUES)
        placed = templates_in(value, field)
        self._count_templates(value, field)
        is_template = bool(placed) and placed[0].path == () and placed[0].template.is_whole
        if not (isinstance(value, list) or is_template):
            raise wrong_type(field, "one template that gives a list, such as ${steps.mails}")
        if any(each.template.secrets for each in placed):
            raise _misplaced(field, "secrets can be used in 'with' only", "invalid_template")
        return cast("str | list[Any]", value)

    def _count_templates(self, value: object, field: str) -> None:
        self._templates += sum(len(placed.template.parts) for placed in templates_in(value, field))
        if self._templates > MOST_TEMPLATES:
            raise _misplaced(
                field, f"the pipeline has more than {MOST_TEMPLATES} templates", "too_complex"
            )

    def _parallel(self, raw: dict[str, Any], field: str, *, depth: int) -> tuple[Step, ...]:
        if "parallel" not in raw:
            return ()
        for key in ("uses", *_CALL_KEYS):
            if key in raw:
                raise _misplaced(f"{field}.{key}", "it cannot stand beside 'parallel'")
        if depth > DEEPEST_PARALLEL:
            raise _misplaced(f"{field}.parallel", "it nests too deep", "too_deep")
        return self.steps(raw["parallel"], f"{field}.parallel", depth=depth + 1)

    def check_whole(self, pipeline: Pipeline, field: str) -> None:
        """What only all steps together tell: each name belongs to one step."""
        ids: dict[str, str] = {}
        for step in pipeline.every_step():
            if step.id in ids:
                raise InvalidInput(
                    f"{step.field}.id: '{step.id}' is already the id of {ids[step.id]}",
                    code="duplicate_id",
                    field=f"{step.field}.id",
                )
            ids[step.id] = step.field
        for step in pipeline.every_step():
            if step.save_as != step.id and step.save_as in ids:
                raise InvalidInput(
                    f"{step.field}.save_as: '{step.save_as}' is the id of {ids[step.save_as]}",
                    code="duplicate_id",
                    field=f"{step.field}.save_as",
                )


def _naming(step_id: str, read: Callable[[], Step]) -> Step:
    """Read a step; its errors begin with its name."""
    try:
        return read()
    except InvalidInput as error:
        raise InvalidInput(
            f"Step '{step_id}': {error.message}",
            code=error.code,
            field=error.field,
            hint=error.hint,
            allowed=error.allowed,
        ) from error


def _call(raw: dict[str, Any], field: str) -> dict[str, Any]:
    """What belongs to the call of one tool."""
    if "uses" not in raw:
        raise missing(field, "uses", "Name a tool as server.tool, or give 'parallel' steps.")
    return {
        "uses": a_tool_name(raw["uses"], f"{field}.uses"),
        "timeout": _read(raw, field, "timeout_seconds", _timeout),
        "retry": _read(raw, field, "retry", a_retry),
        "on_unknown": _read(raw, field, "on_unknown", _on_unknown),
        "output_schema": _read(raw, field, "output_schema", _output_schema),
    }


def _read(raw: dict[str, Any], field: str, key: str, reader: Callable[[object, str], Any]) -> Any:
    return reader(raw[key], f"{field}.{key}") if key in raw else None


def _timeout(value: object, field: str) -> Any:
    return a_span(value, field, low=0.1, high=LONGEST_TIMEOUT)


def _on_unknown(value: object, field: str) -> OnUnknown:
    return a_word(value, field, OnUnknown)


def _output_schema(value: object, field: str) -> dict[str, Any]:
    schema = an_object(value, field)
    compile_schema(schema, field=field)
    return schema


def _condition(raw: dict[str, Any], field: str, key: str) -> Condition | None:
    return Condition.parse(raw[key], f"{field}.{key}") if key in raw else None


def _max_parallel(raw: dict[str, Any], field: str) -> int:
    if "max_parallel" not in raw:
        return 1
    field = f"{field}.max_parallel"
    if "for_each" not in raw:
        raise _misplaced(field, "it belongs to 'for_each', which is missing")
    return whole_number(raw["max_parallel"], field=field, low=1, high=MOST_TOGETHER)


def _names_secret(arguments: dict[str, Any], field: str) -> bool:
    return any(placed.template.secrets for placed in templates_in(arguments, f"{field}.with"))


def _misplaced(field: str, why: str, code: str = "invalid") -> InvalidInput:
    return InvalidInput(f"{field}: {why}", code=code, field=field)
