"""A call that is under way at a tool server, and what the server tells of it meanwhile."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

import anyio

from ordinaut_mcp.bridge.question import Question
from ordinaut_mcp.bridge.result import kept

log = logging.getLogger(__name__)

LONGEST_PROGRESS: Final = 200
"""Characters of a progress message that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a tool says that it is; it extends no time-out."""

    done: float
    total: float | None = None
    message: str = ""

    def says(self) -> str:
        """`3 of 10: copying`."""
        of = f" of {self.total:g}" if self.total is not None else ""
        words = f": {self.message}" if self.message else ""
        return f"{self.done:g}{of}{words}"


@dataclass(eq=False, kw_only=True)
class Ongoing:
    """One call from the moment it is sent until its outcome is known."""

    uses: str
    idempotency_key: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    progress: Progress | None = None
    question: Question | None = None
    """What nobody was there to answer."""

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Keep the newest; the SDK calls this for each notification."""
        words = kept(" ".join((message or "").split())[:LONGEST_PROGRESS])
        self.progress = Progress(done=progress, total=total, message=words)
        log.debug("%s %s: %s", self.uses, self.idempotency_key, self.progress.says())


CURRENT: Final[ContextVar[Ongoing | None]] = ContextVar("CURRENT", default=None)
"""The call that the running code belongs to, where the SDK lets one know."""
