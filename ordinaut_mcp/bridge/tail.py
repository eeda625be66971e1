"""The last words of a tool server: what an error message can quote of its stderr."""

from __future__ import annotations

from typing import Final

KEPT: Final = 64 * 1024
"""Bytes."""


class Tail:
    """Keeps the last `KEPT` bytes of a stream and forgets the rest."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._bytes += chunk[-self._kept :]
        del self._bytes[: -self._kept]

    def text(self) -> str:
        """All that is kept; what is not text, and control characters, are shown as `\\ufffd`."""
        text = self._bytes.decode("utf-8", "replace")
        return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)

    def last_words(self, longest: int = 300) -> str:
        """The end of the last line that says anything, for a sentence; empty if there is none."""
        lines = [line.strip() for line in self.text().splitlines()]
        last = next((line for line in reversed(lines) if line), "")
        return last if len(last) <= longest else "…" + last[-longest:]
