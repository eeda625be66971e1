"""Text of one line: titles, names, notes; what a person reads must be what is there."""

from __future__ import annotations

import unicodedata

from ordinaut_mcp.errors import InvalidInput

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols to Unicode, nothing to the eye (fillers, the empty Braille cell)."""


def one_line(text: object, field: str, max_length: int) -> str:
    """Give back `text` itself, proved to be one visible line of at most `max_length` code points.

    Refused are control characters (C0, C1), line and paragraph separators, bidirectional
    overrides and isolates, tag characters, and text without anything to see.

    Raises:
        InvalidInput: wrong_type, too_long or invalid_text.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"{field} must be text", code="wrong_type", field=field)
    if len(text) > max_length:
        raise InvalidInput(
            f"{field} has {len(text)} characters; at most {max_length} are allowed",
            code="too_long",
            field=field,
        )
    for character in text:
        if _spoofs(character):
            raise _invalid(field, f"contains U+{ord(character):04X}, which is not allowed here")
    if not any(_visible(character) for character in text):
        raise _invalid(field, "is empty" if not text else "has nothing that can be seen")
    return text


def _spoofs(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or character in _BIDI
        or "\U000e0000" <= character <= "\U000e007f"
    )


def _visible(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE and character not in _BLANK_LETTERS


def _invalid(field: str, what: str) -> InvalidInput:
    return InvalidInput(f"{field} {what}", code="invalid_text", field=field)
