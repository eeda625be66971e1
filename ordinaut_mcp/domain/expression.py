"""JMESPath with bounds: what templates and conditions are made of (security.md U13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, Final

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser

from ordinaut_mcp.domain.clean import Limits, clean_json
from ordinaut_mcp.domain.evaluation import ExpressionFault, Missing, evaluate
from ordinaut_mcp.domain.expression_check import (
    Malformed,
    Reference,
    Survey,
    TooComplex,
    not_outside,
)
from ordinaut_mcp.domain.expression_tokens import BadLiteral, TooDeep, to_jmespath
from ordinaut_mcp.errors import InvalidInput

__all__ = ["Expression", "ExpressionFault", "Missing", "Reference", "parse_expression"]

LONGEST: Final = 1_024
LARGEST_RESULT: Final = 256 * 1024
_RESULT: Final = Limits(depth=64, keys=50_000, nodes=200_000, size=LARGEST_RESULT)


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression; `references` are what it reads of its context."""

    text: str
    references: frozenset[Reference]
    _tree: Any
    _builds: bool

    def evaluate(self, context: Mapping[str, Any], *, zone: tzinfo = UTC) -> Any:
        """Its value over `context` (JSON values by root), or `Missing`.

        What is computed is JSON of at most 256 KiB; a plain path gives the very value it leads to.

        Raises:
            ExpressionFault: it cannot be computed over these values, or costs too much.
        """
        value = evaluate(self._tree, dict(context), zone)
        if self._builds and not isinstance(value, Missing):
            _check_built(value)
        return value


def _check_built(value: object) -> None:
    """Computed values may have left JSON: sums past 63 bits, infinity."""
    try:
        clean_json(value, field="the result", limits=_RESULT)
    except InvalidInput as error:
        raise ExpressionFault(error.message) from error


def parse_expression(text: str, *, field: str, code: str) -> Expression:
    """Parse and bound one expression; `code` is what a malformed one is reported as.

    Raises:
        InvalidInput: too_long, too_complex, or `code`; the message shows the expression.
    """
    if len(text) > LONGEST:
        raise InvalidInput(
            f"{field}: the expression has {len(text)} characters; at most {LONGEST} are allowed",
            code="too_long",
            field=field,
        )
    try:
        return _parsed(text)
    except TooComplex as error:
        raise InvalidInput(
            f"{field}: '{_shown(text)}' is too complex: {error}", code="too_complex", field=field
        ) from error
    except (Malformed, JMESPathError) as error:
        raise InvalidInput(
            f"{field}: '{_shown(text)}' is not a valid expression: {_reason(error)}",
            code=code,
            field=field,
            hint="Expressions are JMESPath, such as params.city or length(steps.mails) > 3.",
        ) from error


@lru_cache(maxsize=512)
def _parsed(text: str) -> Expression:
    if not text.strip():
        raise Malformed("it is empty")
    try:
        tree = not_outside(Parser().parse(to_jmespath(text)).parsed)
    except (TooDeep, RecursionError) as error:
        raise TooComplex("its brackets nest too deep") from error
    except BadLiteral as error:
        raise Malformed(f"{_shown(str(error))} is not a value") from error
    survey = Survey()
    survey.take(tree)
    return Expression(text, frozenset(survey.references), tree, survey.builds)


def _reason(error: Exception) -> str:
    """One line; the library draws the place below the expression."""
    if isinstance(error, Malformed):
        return str(error)
    token = getattr(error, "token_value", None)
    return f"near '{_shown(str(token), 40)}'" if token else "it ends too early"


def _shown(text: str, longest: int = 120) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
