"""Reads `${…}` in strings: where templates begin and end, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from ordinaut_mcp.domain.clean import Path, field_path
from ordinaut_mcp.domain.expression import LONGEST, Expression, Reference, parse_expression
from ordinaut_mcp.errors import InvalidInput

MOST_IN_ONE_STRING: Final = 100

_QUOTES_AND_BRACES: Final = re.compile(
    r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|[{}]", re.DOTALL
)
_SECRET: Final = re.compile(r"\s*secrets\s*\.\s*([A-Z][A-Z0-9_]{1,62})\s*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30} ")
"""What may stand before a secret: `Bearer ` and its like."""


@dataclass(frozen=True, slots=True)
class SecretReference:
    """`${secrets.NAME}`."""

    name: str

    def __str__(self) -> str:
        return f"${{secrets.{self.name}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """A string in pieces: text as it is, expressions, and references to secrets."""

    text: str
    parts: tuple[str | Expression | SecretReference, ...]

    @property
    def is_literal(self) -> bool:
        """There is nothing to fill in."""
        return all(isinstance(part, str) for part in self.parts)

    @property
    def is_whole(self) -> bool:
        """One template and nothing else: the value keeps its type."""
        return len(self.parts) == 1 and not self.is_literal

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What is computed when it is rendered, in order."""
        return tuple(part for part in self.parts if isinstance(part, Expression))

    @property
    def references(self) -> frozenset[Reference]:
        """What all of its expressions read; secrets are not among them."""
        return frozenset(read for each in self.expressions for read in each.references)

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets it needs."""
        return frozenset(part.name for part in self.parts if isinstance(part, SecretReference))


def parse_template(text: str, field: str) -> Template:
    """Cut a string into its pieces.

    Raises:
        InvalidInput: invalid_template, too_long or too_complex; secret_in_url.
    """
    parts = tuple(_parts(text, field))
    template = Template(text, parts)
    if len(parts) - sum(isinstance(part, str) for part in parts) > MOST_IN_ONE_STRING:
        raise InvalidInput(
            f"{field} has more than {MOST_IN_ONE_STRING} templates",
            code="too_complex",
            field=field,
        )
    if template.secrets:
        _check_secret_place(template, field)
    return template


def _parts(text: str, field: str) -> Iterator[str | Expression | SecretReference]:
    literal = ""
    at = 0
    while (start := text.find("${", at)) >= 0:
        if start > at and text[start - 1] == "$":
            literal += text[at : start - 1] + "${"
            at = start + 2
            continue
        literal += text[at:start]
        if literal:
            yield literal
        literal = ""
        end = _end(text, start + 2, field)
        yield _filling(text[start + 2 : end], field)
        at = end + 1
    literal += text[at:]
    if literal or not text:
        yield literal


def _end(text: str, start: int, field: str) -> int:
    """Where the brace closes that opened before `start`; quoted braces do not count."""
    depth = 1
    # One more than the longest expression: what is longer need not be searched to its end.
    for match in _QUOTES_AND_BRACES.finditer(text, start, start + LONGEST + 1):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    if len(text) - start > LONGEST:
        raise InvalidInput(
            f"{field}: a template is not closed within {LONGEST} characters",
            code="too_long",
            field=field,
        )
    raise _invalid(field, f"'{shown(text[start - 2 :])}' is not closed; '}}' is missing")


def _filling(inner: str, field: str) -> Expression | SecretReference:
    secret = _SECRET.fullmatch(inner)
    if secret:
        return SecretReference(secret[1])
    expression = parse_expression(inner, field=field, code="invalid_template")
    if any(reference.root == "secrets" for reference in expression.references):
        raise _invalid(
            field, f"'{shown(inner)}': a secret is read whole and by name, as ${{secrets.NAME}}"
        )
    return expression


def _check_secret_place(template: Template, field: str) -> None:
    """Alone, or behind one word: mixed into text it could be neither masked nor traced."""
    prefix = template.parts[0] if isinstance(template.parts[0], str) else ""
    if "://" in template.text:
        raise InvalidInput(
            f"{field}: a secret in an address ends up in logs; send it in a header",
            code="secret_in_url",
            field=field,
        )
    if len(template.parts) > (2 if prefix else 1) or (prefix and not _SCHEME.fullmatch(prefix)):
        raise _invalid(
            field, "a secret stands alone or behind one word, as in 'Bearer ${secrets.NAME}'"
        )


def _invalid(field: str, what: str) -> InvalidInput:
    return InvalidInput(
        f"{field}: {what}",
        code="invalid_template",
        field=field,
        hint="Write $${ for a literal ${.",
    )


def shown(text: str) -> str:
    """At most 120 characters of it, for a message."""
    return text if len(text) <= 120 else text[:120] + "…"


@dataclass(frozen=True, slots=True)
class PlacedTemplate:
    """A string of a JSON value that holds templates, and where it stands."""

    path: Path
    field: str
    template: Template


def templates_in(value: object, field: str) -> list[PlacedTemplate]:
    """Every string of a JSON value that has something to fill in, in order.

    Raises:
        InvalidInput: a template is wrong, or stands in a key.
    """
    return list(_placed(value, field, ()))


def _placed(value: object, field: str, path: Path) -> Iterator[PlacedTemplate]:
    if isinstance(value, str) and "${" in value:
        here = field_path(field, path)
        template = parse_template(value, here)
        if not template.is_literal:
            yield PlacedTemplate(path, here, template)
    elif isinstance(value, dict):
        for key, member in cast("dict[str, object]", value).items():
            if "${" in key:
                raise _invalid(field_path(field, path), "a key cannot hold a template")
            yield from _placed(member, field, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[object]", value)):
            yield from _placed(item, field, (*path, at))
