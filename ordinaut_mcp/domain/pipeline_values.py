"""Reads the values of a step's keys, one function for each kind of value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from ordinaut_mcp.domain.clean import clean_json, in_range, whole_number
from ordinaut_mcp.domain.nearest import did_you_mean, near
from ordinaut_mcp.domain.retry import Backoff
from ordinaut_mcp.domain.step import OnError, StepRetry
from ordinaut_mcp.errors import InvalidInput

LONGEST_TIMEOUT: Final = 3_600
LONGEST_REST: Final = 3_600
MOST_ATTEMPTS: Final = 10
LONGEST_ID: Final = 63

_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_USES: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.[A-Za-z0-9_.-]{1,128}")

Word = TypeVar("Word", bound=StrEnum)


def an_object(value: object, field: str, keys: Collection[str] | None = None) -> dict[str, Any]:
    """An object; with `keys` given, no others may be in it.

    Raises:
        InvalidInput: wrong_type or unknown_field.
    """
    if not isinstance(value, dict):
        raise wrong_type(field, "an object")
    members = cast("dict[str, Any]", value)
    for key in members if keys is not None else ():
        if key not in (keys or ()):
            raise _unknown_key(str(key), field, keys or ())
    return members


def _unknown_key(key: str, field: str, keys: Collection[str]) -> InvalidInput:
    shown = key if len(key) <= 60 else key[:60] + "…"
    return InvalidInput(
        f"{field} has no key '{shown}'{did_you_mean(key, keys)}",
        code="unknown_field",
        field=f"{field}.{shown}",
        allowed=sorted(keys),
    )


def wrong_type(field: str, wanted: str) -> InvalidInput:
    """The error for a value of another type."""
    return InvalidInput(f"{field} must be {wanted}", code="wrong_type", field=field)


def missing(field: str, key: str, hint: str) -> InvalidInput:
    """The error for a key that has to be there."""
    return InvalidInput(f"{field} needs '{key}'", code="missing", field=f"{field}.{key}", hint=hint)


def an_id(value: object, field: str) -> str:
    """A name that expressions can use: `[A-Za-z][A-Za-z0-9_]*`, at most 63 characters.

    Raises:
        InvalidInput: wrong_type or invalid_id.
    """
    if not isinstance(value, str):
        raise wrong_type(field, "text")
    if len(value) > LONGEST_ID or not _ID.fullmatch(value):
        raise InvalidInput(
            f"{field} must be letters, digits and underscores, begin with a letter and have at "
            f"most {LONGEST_ID} characters",
            code="invalid_id",
            field=field,
        )
    return value


def a_tool_name(value: object, field: str) -> str:
    """`server.tool`.

    Raises:
        InvalidInput: wrong_type or invalid_tool_name.
    """
    if not isinstance(value, str):
        raise wrong_type(field, "text")
    if not _USES.fullmatch(value):
        raise InvalidInput(
            f"{field} must name a tool as server.tool, such as weather-mcp.forecast",
            code="invalid_tool_name",
            field=field,
            hint="list_pipeline_tools shows what steps may use.",
        )
    return value


def a_boolean(value: object, field: str) -> bool:
    """Raises: InvalidInput: wrong_type."""
    if not isinstance(value, bool):
        raise wrong_type(field, "true or false")
    return value


def a_span(value: object, field: str, *, low: float, high: float) -> timedelta:
    """A number of seconds from `low` to `high`.

    Raises:
        InvalidInput: wrong_type or out_of_range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(field, "a number of seconds")
    return timedelta(seconds=in_range(value, field=field, low=low, high=high))


def a_word(value: object, field: str, words: type[Word]) -> Word:
    """One of a closed list of words.

    Raises:
        InvalidInput: wrong_type, or not_allowed.
    """
    allowed = [word.value for word in words]
    if not isinstance(value, str):
        raise wrong_type(field, f"one of {', '.join(allowed)}")
    if value not in allowed:
        meant = near(value, allowed, count=1)
        raise InvalidInput(
            f"{field} must be one of {', '.join(allowed)}",
            code="not_allowed",
            field=field,
            allowed=allowed,
            hint=f"Did you mean '{meant[0]}'?" if meant else None,
        )
    return words(value)


def a_retry(value: object, field: str) -> StepRetry:
    """`{"max_attempts", "backoff", "base_seconds", "max_seconds"}`, each of them optional.

    Raises:
        InvalidInput: wrong_type, out_of_range, unknown_field or not_allowed.
    """
    raw = an_object(value, field, ("max_attempts", "backoff", "base_seconds", "max_seconds"))
    retry = StepRetry(
        max_attempts=_attempts(raw, f"{field}.max_attempts"),
        backoff=a_word(raw["backoff"], f"{field}.backoff", Backoff) if "backoff" in raw else None,
        base=_rest(raw, field, "base_seconds"),
        longest=_rest(raw, field, "max_seconds"),
    )
    if retry.base is not None and retry.longest is not None and retry.base > retry.longest:
        raise InvalidInput(
            f"{field}.base_seconds is above max_seconds",
            code="out_of_range",
            field=f"{field}.base_seconds",
        )
    return retry


def _attempts(raw: Mapping[str, Any], field: str) -> int | None:
    if "max_attempts" not in raw:
        return None
    return whole_number(raw["max_attempts"], field=field, low=1, high=MOST_ATTEMPTS)


def _rest(raw: Mapping[str, Any], field: str, key: str) -> timedelta | None:
    return a_span(raw[key], f"{field}.{key}", low=0, high=LONGEST_REST) if key in raw else None


class _Strategy(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"


def an_on_error(value: object, field: str) -> OnError:
    """`"fail"`, or `{"strategy": "continue", "fallback_value": …}`.

    Raises:
        InvalidInput: wrong_type, unknown_field, missing or not_allowed.
    """
    if isinstance(value, str):
        return OnError(continues=a_word(value, field, _Strategy) is _Strategy.CONTINUE)
    raw = an_object(value, field, ("strategy", "fallback_value"))
    if "strategy" not in raw:
        raise missing(field, "strategy", 'It is "fail" or "continue".')
    strategy = a_word(raw["strategy"], f"{field}.strategy", _Strategy)
    fallback = clean_json(raw.get("fallback_value"), field=f"{field}.fallback_value")
    return OnError(continues=strategy is _Strategy.CONTINUE, fallback=fallback)
