"""From what people write to plain JMESPath, token by token.

`x > 25`, `x == "ok"`, `x == null` become backtick literals, `now+24h` becomes a call of
`shift`. What is JMESPath already stays as it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from ordinaut_mcp.domain.clean import strict_loads
from ordinaut_mcp.errors import InvalidInput

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[\ \t\r\n]+)
  | (?P<literal>`(?:\\.|[^`\\])*`)
  | (?P<raw>'(?:\\.|[^'\\])*')
  | (?P<quoted>"(?:\\.|[^"\\])*")
  | (?P<span>[+-][\ ]*[0-9]+[smhdw](?![A-Za-z0-9_]))
  | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|&&|\|\||\[\?|\[\]|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPARATORS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_QUOTES: Final = frozenset({"'", '"', "`"})
"""As a token of their own they opened something that is not closed."""
_OPEN: Final = frozenset({"(", "[", "[?", "{"})
_CLOSE: Final = frozenset({")", "]", "}"})
_BEFORE_OPERAND: Final = _COMPARATORS | {"", "(", ",", "||", "&&", "|", "!"}
_AFTER_OPERAND: Final = _COMPARATORS | {"", ")", ",", "||", "&&", "|"}
_WORDS: Final = frozenset({"true", "false", "null"})

_INDEX: Final = re.compile(r"-?[0-9]+")
_NAME: Final = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|".*"', re.DOTALL)

DEEPEST: Final = 32


class TooDeep(ValueError):
    """Brackets nest deeper than `DEEPEST`."""


class BadLiteral(ValueError):
    """A literal is not JSON; the text says which."""


@dataclass(frozen=True, slots=True)
class Token:
    """`nested`: inside a filter, a hash or a list, where names mean fields of something else."""

    kind: str
    text: str
    nested: bool = False


def to_jmespath(text: str) -> str:
    """The same expression in plain JMESPath.

    Raises:
        TooDeep: its brackets nest too deep to be parsed safely.
        BadLiteral: a backtick literal or number is not JSON that can be stored.
    """
    tokens = _tokens(text)
    written: list[str] = []
    for at, token in enumerate(tokens):
        before = tokens[at - 1].text if at else ""
        after = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.kind == "span" and written:
            _wrap_path(written, token.text)
        else:
            written.append(_one(token, before, after))
    return " ".join(written)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    open_brackets: list[str] = []
    for match in _TOKEN.finditer(text):
        kind, part = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        if part in _QUOTES:
            raise BadLiteral(text[match.start() :])
        if part in _CLOSE and open_brackets:
            open_brackets.pop()
        found.append(Token(kind, part, any(opened != "(" for opened in open_brackets)))
        if part in _OPEN:
            open_brackets.append(part)
        if len(open_brackets) > DEEPEST:
            raise TooDeep
    return found


def _one(token: Token, before: str, after: str) -> str:
    match token.kind:
        case "literal":
            return _literal(token.text[1:-1].replace("\\`", "`"))
        case "number" if not _is_index(before, after):
            return _literal(token.text)
        case "name" if token.text in _WORDS and before != "." and after not in {"(", ":", "."}:
            return _literal(token.text)
        case "quoted" if _is_text(token, before, after):
            return _literal(token.text)
        case _:
            return token.text


def _is_index(before: str, after: str) -> bool:
    """`[3]`, `[1:2]`, `[::2]`; a colon before and a brace behind is a value in a hash."""
    return before in {"[", ":"} and after in {"]", ":"}


def _is_text(token: Token, before: str, after: str) -> bool:
    """`== "ok"`, and `contains(x, "ok")`; in JMESPath proper these would name fields."""
    if before in _COMPARATORS:
        return True
    return not token.nested and before in _BEFORE_OPERAND and after in _AFTER_OPERAND


def _literal(text: str) -> str:
    """Backtick form of one JSON value; JMESPath itself would take what is malformed as text."""
    try:
        value = strict_loads(text)
    except InvalidInput as error:
        raise BadLiteral(text) from error
    return "`" + json.dumps(value, ensure_ascii=False).replace("`", "\\u0060") + "`"


def _wrap_path(written: list[str], span: str) -> None:
    """Put `shift(…, 'span')` around the path that `written` ends with."""
    start = len(written)
    while (taken := _path_part(written[:start], written[start : start + 1])) > 0:
        start -= taken
    path = " ".join(written[start:])
    written[start:] = [f"shift({path}, '{''.join(span.split())}')"]


def _path_part(before: list[str], behind: list[str]) -> int:
    """How many of the last tokens of `before` belong to the path that goes on with `behind`."""
    if not before:
        return 0
    if len(before) > 3 and before[-1] == "]" and before[-3] == "[" and _INDEX.fullmatch(before[-2]):
        return 3
    if before[-1] == "." or before[-1].startswith("shift("):
        return 1
    is_name = bool(_NAME.fullmatch(before[-1]))
    return 1 if is_name and behind in ([], ["."], ["["]) else 0
