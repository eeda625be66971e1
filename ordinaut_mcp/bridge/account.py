"""What is to be known of a connection once it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from ordinaut_mcp.bridge.tail import Tail


@dataclass
class Account:
    """Written by the transport, read for error messages and by the owner of the connection."""

    server: str = ""
    tail: Tail = field(default_factory=Tail)
    junk: int = 0
    """Lines on stdout that were not JSON-RPC."""
    reason: str = ""
    """Why we ended it, where it was we."""
    flooded: bool = False
    """We ended it because one message was too long."""
    exit_code: int | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    """Set when nothing more can arrive, before those who wait are told."""

    def says(self) -> str:
        """One sentence: how it ended, and its last words."""
        ended = self.reason or "it closed the connection"
        if not self.reason and self.exit_code is not None:
            ended = f"it ended with exit code {self.exit_code}"
        words = self.tail.last_words()
        return f"{ended}; its last words: {words}" if words else ended
