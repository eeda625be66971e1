"""Whether a step's arguments fit its tool, as far as templates let one know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from ordinaut_mcp.domain.clean import Path
from ordinaut_mcp.domain.json_schema import Problem, Validator
from ordinaut_mcp.domain.step import Step
from ordinaut_mcp.domain.template import (
    PlacedTemplate,
    RenderContext,
    RenderError,
    Template,
    render,
    templates_in,
)
from ordinaut_mcp.errors import InvalidInput

_CERTAIN: Final = frozenset(
    {"type", "required", "additionalProperties", "minProperties", "maxProperties"}
    | {"minItems", "maxItems", "propertyNames", "dependentRequired"}
)
"""Keywords of an object or list that hold whatever its members turn out to be."""
_OF_MEMBERS: Final = frozenset({"required", "additionalProperties", "unevaluatedProperties"})
_CONDITIONAL: Final = frozenset({"if", "then", "else", "anyOf", "oneOf", "not"})
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


def check_arguments(
    step: Step, validator: Validator, params: Mapping[str, Any] | None
) -> list[str]:
    """The step's `with` against its tool's input schema; the result are warnings.

    What only a run can know is never a reason to refuse. A template that reads nothing but
    `params` is computed where the task gives them.

    Raises:
        InvalidInput: schema_mismatch, with the field of the argument.
    """
    sketch = _Sketch(step, params)
    problems = [
        problem
        for problem in validator.problems(sketch.value, most=200)
        if sketch.is_certain(problem)
    ]
    if problems:
        raise mismatch(step, problems, validator.schema)
    return sketch.warnings


def mismatch(step: Step, problems: list[Problem], schema: Mapping[str, Any]) -> InvalidInput:
    """The error for arguments that do not fit; the first problem gives the field."""
    root = f"{step.field}.with"
    told = "; ".join(f"{each.field(root)} {each.message}" for each in problems[:3])
    members: Any = schema.get("properties")
    takes = list(cast("dict[str, Any]", members))[:20] if isinstance(members, dict) else []
    return InvalidInput(
        f"Step '{step.id}': {told}",
        code="schema_mismatch",
        field=problems[0].field(root),
        hint=f"{step.uses} takes: {', '.join(takes)}." if takes else None,
        allowed=problems[0].allowed or None,
    )


class _Sketch:
    """The arguments with what is known filled in, and the places of what is not."""

    def __init__(self, step: Step, params: Mapping[str, Any] | None) -> None:
        self.warnings: list[str] = []
        self.value: Any = dict(step.arguments)
        self._open: set[Path] = set()
        self._texts: set[Path] = set()
        for placed in templates_in(self.value, f"{step.field}.with"):
            self._take(placed, params)

    def _take(self, placed: PlacedTemplate, params: Mapping[str, Any] | None) -> None:
        if params is not None and _is_known(placed.template, params):
            try:
                self.value = _with(self.value, placed.path, _computed(placed, params))
            except RenderError as error:
                self.warnings.append(error.message)
            else:
                return
        whole = placed.template.is_whole and not placed.template.secrets
        (self._open if whole else self._texts).add(placed.path)

    def is_certain(self, problem: Problem) -> bool:
        """Whether the problem stays whatever the templates give."""
        at = problem.path[:-1] if problem.keyword in _OF_MEMBERS else problem.path
        unknown = [path for path in self._open | self._texts if path[: len(at)] == at]
        if not unknown:
            return True
        if at in self._texts:
            return problem.keyword == "type"
        return (
            at not in self._open
            and problem.keyword in _CERTAIN
            and _CONDITIONAL.isdisjoint(problem.schema_path)
        )


def _is_known(template: Template, params: Mapping[str, Any]) -> bool:
    """It reads nothing but parameters that are there."""
    return not template.secrets and all(
        reference.root == "params" and (reference.name is None or reference.name in params)
        for reference in template.references
    )


def _computed(placed: PlacedTemplate, params: Mapping[str, Any]) -> Any:
    context = RenderContext(values={"params": dict(params)}, now=_ANY_TIME, zone=UTC)
    return render(placed.template.text, context, field=placed.field)


def _with(value: Any, path: Path, leaf: Any) -> Any:
    """`value` with `leaf` at `path`; only what lies on the way is copied."""
    if not path:
        return leaf
    copied = value.copy()
    copied[path[0]] = _with(value[path[0]], path[1:], leaf)
    return copied
