"""Lines out of chunks, with a bound: what a tool server writes never fills our memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes. A longer line is counted and dropped; its ends are kept to see what it answered."""
LONGEST_FLOOD: Final = 16 * 1024 * 1024
"""Bytes in one line after which the connection is given up."""

_ENDS: Final = 512


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that was too long: its first and last bytes, and how long it was or became."""

    head: bytes
    tail: bytes
    size: int


class Flood(Exception):
    """One line went on past `LONGEST_FLOOD`; `dropped` is what is known of it."""

    def __init__(self, dropped: Dropped) -> None:
        super().__init__(f"message_too_large: more than {dropped.size} bytes in one line")
        self.dropped = dropped


class Lines:
    """Splits chunks at line feeds and holds at most one line of `LONGEST_LINE`."""

    def __init__(self, longest: int = LONGEST_LINE, flood: int = LONGEST_FLOOD) -> None:
        self._longest = longest
        self._flood = flood
        self._held = bytearray()
        self._lost = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> Iterator[bytes | Dropped]:
        """The lines that `chunk` ends, without their line feed. Raises: Flood."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._take(part)
            yield self._end()
        self._take(rest)

    def _take(self, part: bytes) -> None:
        if self._lost == 0 and len(self._held) + len(part) <= self._longest:
            self._held += part
            return
        if self._lost == 0:
            self._lost = len(self._held)
            self._tail = bytes(self._held[-_ENDS:])
            del self._held[_ENDS:]
        self._lost += len(part)
        self._held += part[: max(0, _ENDS - len(self._held))]
        self._tail = (self._tail + part)[-_ENDS:]
        if self._lost > self._flood:
            raise Flood(self._dropped())

    def _end(self) -> bytes | Dropped:
        line = self._dropped() if self._lost else bytes(self._held)
        self._held.clear()
        self._lost, self._tail = 0, b""
        return line

    def _dropped(self) -> Dropped:
        return Dropped(head=bytes(self._held), tail=self._tail, size=self._lost)
