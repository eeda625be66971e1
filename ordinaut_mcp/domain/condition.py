"""Conditions: `if`, `verify`, and the schedules that wait for something to become true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from ordinaut_mcp.domain.evaluation import holds
from ordinaut_mcp.domain.expression import (
    Expression,
    ExpressionFault,
    Missing,
    Reference,
    parse_expression,
)
from ordinaut_mcp.errors import InvalidInput, OrdinautError


class ConditionError(OrdinautError):
    """A condition could not be decided on these values; never to be taken for false."""

    code = "condition_error"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `text` is as it was written."""

    text: str
    field: str
    _expression: Expression

    @classmethod
    def parse(cls, text: object, field: str) -> Condition:
        """Read a condition, with or without `${…}` around it.

        Raises:
            InvalidInput: wrong_type, invalid_condition, too_long or too_complex.
        """
        if not isinstance(text, str):
            raise InvalidInput(
                f'{field} must be text, such as "steps.weather.temperature > 25"',
                code="wrong_type",
                field=field,
            )
        expression = parse_expression(_bare(text), field=field, code="invalid_condition")
        return cls(text, field, expression)

    @property
    def references(self) -> frozenset[Reference]:
        """What the condition reads of its context."""
        return self._expression.references

    def holds(self, context: Mapping[str, Any], *, zone: tzinfo = UTC) -> bool:
        """Whether it is true over `context` (JSON values by root).

        What is missing makes a comparison false, and is itself false.

        Raises:
            ConditionError: a function got a wrong type, or it costs too much.
        """
        try:
            value = self._expression.evaluate(context, zone=zone)
        except ExpressionFault as error:
            raise ConditionError(
                f"{self.field}: the condition '{self.text}' cannot be decided: {error}",
                field=self.field,
            ) from error
        return not isinstance(value, Missing) and holds(value)


def _bare(text: str) -> str:
    """Without the `${…}` that people put around it."""
    stripped = text.strip()
    if stripped.startswith("${") and stripped.endswith("}"):
        return stripped[2:-1]
    return text
