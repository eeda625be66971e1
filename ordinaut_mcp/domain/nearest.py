"""The word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 128
"""Comparing is quadratic in the length; longer words are not compared at all."""


def near(word: str, words: Iterable[str], *, count: int = 5) -> list[str]:
    """Up to `count` of `words` that look like `word`, best first; case does not matter."""
    if len(word) > LONGEST:
        return []
    by_folded = {known.casefold(): known for known in words if len(known) <= LONGEST}
    found = get_close_matches(word.casefold(), by_folded, n=count, cutoff=0.6)
    return [by_folded[folded] for folded in found]


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that looks most like `word`; None when nothing does."""
    return next(iter(near(word, words, count=1)), None)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`; did you mean 'x'?` to put behind a message, or nothing."""
    meant = nearest(word, words)
    return f"; did you mean '{meant}'?" if meant else ""
