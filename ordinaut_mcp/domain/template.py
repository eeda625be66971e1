"""Fills in `${…}`: in a single pass, over any JSON value, with types kept.

What a template puts in is data and never expanded again. Secrets are no part of the context
that expressions see: `${secrets.NAME}` is a reference, filled in at the last moment only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, cast

from ordinaut_mcp.domain.clean import Path, field_path, json_size
from ordinaut_mcp.domain.expression import Expression, ExpressionFault, Missing
from ordinaut_mcp.domain.moment import in_words
from ordinaut_mcp.domain.template_text import (
    PlacedTemplate,
    SecretReference,
    Template,
    parse_template,
    shown,
    templates_in,
)
from ordinaut_mcp.errors import InvalidInput, OrdinautError

__all__ = [
    "PlacedTemplate",
    "RenderContext",
    "RenderError",
    "SecretReference",
    "Template",
    "parse_template",
    "render",
    "templates_in",
]

LARGEST_RENDERED: Final = 256 * 1024
DEEPEST: Final = 64


class RenderError(OrdinautError):
    """A template could not be filled; `field` is where it stands, `path` the expression."""

    code = "template_error"

    def __init__(self, message: str, *, field: str, path: str) -> None:
        super().__init__(message, field=field)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """What a run knows: JSON values by root, its start, the task's zone.

    Without `secrets` their references stay in the text as they are: that is the form for the
    journal, for answers and for logs.
    """

    values: Mapping[str, Any]
    now: datetime
    zone: tzinfo
    secrets: Mapping[str, str] | None = None

    def roots(self) -> dict[str, Any]:
        """The context of expressions and conditions, `now` included."""
        return {**self.values, "now": in_words(self.now, self.zone)}


def render(value: Any, context: RenderContext, *, field: str = "with") -> Any:
    """The JSON value with every template filled in; other values are given back as they are.

    A string that is one template keeps the type of its value; inside text, strings go in as
    they are and everything else as JSON. What is put in is at most 256 KiB together.

    Raises:
        RenderError: a path leads nowhere, a function got a wrong type, a template is malformed
            or the result is too large.
    """
    return _Rendering(context).value(value, field, ())


class _Rendering:
    def __init__(self, context: RenderContext) -> None:
        self._context = context
        self._roots = context.roots()
        self._left = LARGEST_RENDERED

    def value(self, value: Any, field: str, path: Path) -> Any:
        if isinstance(value, str):
            return self._text(value, field_path(field, path)) if "${" in value else value
        if len(path) > DEEPEST:
            raise RenderError(f"{field} nests too deep", field=field, path="")
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {key: self.value(member, field, (*path, key)) for key, member in members.items()}
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [self.value(item, field, (*path, at)) for at, item in enumerate(items)]
        return value

    def _text(self, text: str, field: str) -> Any:
        try:
            template = parse_template(text, field)
        except InvalidInput as error:
            raise RenderError(error.message, field=field, path=shown(text)) from error
        if template.is_whole:
            return self._filled(template.parts[0], field)
        return "".join(
            part if isinstance(part, str) else self._as_text(self._filled(part, field))
            for part in template.parts
        )

    def _filled(self, part: str | Expression | SecretReference, field: str) -> Any:
        if isinstance(part, Expression):
            return self._computed(part, field)
        if isinstance(part, str) or self._context.secrets is None:
            return str(part)
        if part.name not in self._context.secrets:
            raise RenderError(
                f"{field}: there is no secret {part.name} for this task",
                field=field,
                path=str(part),
            )
        return self._context.secrets[part.name]

    def _computed(self, expression: Expression, field: str) -> Any:
        try:
            value = expression.evaluate(self._roots, zone=self._context.zone)
            self._charge(value)
        except ExpressionFault as error:
            raise self._failed(expression, field, str(error)) from error
        if isinstance(value, Missing):
            raise self._failed(expression, field, f"has no value: {value.why}")
        return value

    def _failed(self, expression: Expression, field: str, why: str) -> RenderError:
        path = expression.text.strip()
        return RenderError(f"{field}: ${{{shown(path)}}} {why}", field=field, path=path)

    def _charge(self, value: object) -> None:
        if isinstance(value, Missing):
            return
        size = json_size(value, 0) if isinstance(value, str) else len(_json(value))
        self._left -= size
        if self._left < 0:
            raise ExpressionFault("makes the rendered value larger than 256 KiB")

    @staticmethod
    def _as_text(value: object) -> str:
        return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ExpressionFault("is not JSON") from error
