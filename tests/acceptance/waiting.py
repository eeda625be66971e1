"""Waiting for what another process does: a look, again and again, with a bound."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY = 0.05


def eventually(look: Callable[[], T | None], *, within: float, what: str) -> T:
    """The first thing that is there; a test that waits in vain fails with `what`."""
    deadline = monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert monotonic() < deadline, f"not within {within:g} s: {what}"
        sleep(LOOK_EVERY)
