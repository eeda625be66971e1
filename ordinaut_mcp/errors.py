"""Every error this service raises on purpose, and the closed list of their codes.

OrdinautError
├── InvalidInput    an argument, schedule or pipeline does not make sense; nothing was stored
├── NotFound        the id or key names nothing that the caller may see
├── Conflict        the change collides with the current state
├── NotAllowed      the caller may not do this
├── NotAvailable    a promised feature that this version does not have yet
└── Unavailable     a dependency did not answer; nothing was stored; trying again may help
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OrdinautError(Exception):
    """Base of every error raised on purpose; its texts are written for the caller.

    `code` is one of docs/reference/errors.md; `field` is the path of the argument
    (`pipeline[0].with.city`); `hint` says what to do next; `allowed` what is accepted;
    `retry_after` is in seconds.
    """

    code = "failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        hint: str | None = None,
        allowed: Sequence[str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.hint = hint
        self.allowed = list(allowed) if allowed is not None else None
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, Any]:
        """The one shape of errors everywhere; empty parts are left out."""
        parts = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "hint": self.hint,
            "allowed": self.allowed,
            "retry_after": self.retry_after,
        }
        return {name: part for name, part in parts.items() if part is not None}


class InvalidInput(OrdinautError):
    """An argument, schedule or pipeline does not make sense; nothing was stored."""

    code = "invalid"


class NotFound(OrdinautError):
    """The id or key names nothing that the caller may see."""

    code = "not_found"


class Conflict(OrdinautError):
    """The change collides with the current state."""

    code = "conflict"


class NotAllowed(OrdinautError):
    """The caller may not do this."""

    code = "insufficient_scope"


class NotAvailable(OrdinautError):
    """A promised feature that this version does not have yet."""

    code = "not_available"


class Unavailable(OrdinautError):
    """A dependency did not answer; nothing was stored; trying again may help."""

    code = "unavailable"


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """A sentence that names the nearest known word, or None when nothing is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else None
