"""How many runs may be under way at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `places` runs under `key` at once; each takes one of the first `places` permits.

    Tasks that share a key with different limits are each held to their own: the stricter one
    waits until one of its first places is free.
    """

    key: str
    """`key:<the caller's concurrency_key>`, or `task:<id>`; one namespace for each owner."""
    places: int
