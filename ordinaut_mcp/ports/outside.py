"""What steps reach outside: tool servers, models, the web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.tool import Fault, ServerStatus, ToolOutcome, ToolSpec
from ordinaut_mcp.domain.web_request import WebAnswer, WebRequest


class CatalogStore(Protocol):
    """What tool servers offer, as the runtime found it."""

    async def save(self, status: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """Replace what is known of one server."""
        ...

    async def keep_only(self, servers: Sequence[str]) -> None:
        """Forget servers that the tools file no longer names."""
        ...

    async def load(self) -> tuple[Sequence[ServerStatus], Sequence[ToolSpec]]:
        """Everything that is known."""
        ...


class ToolCaller(Protocol):
    """Carries out one call of a pipeline's step; a tool's fault is a value, never raised."""

    async def call(
        self,
        uses: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: str,
        timeout: timedelta,  # noqa: ASYNC109 — the tool server is told, too
    ) -> ToolOutcome:
        """Call the tool and wait for its result at most `timeout`."""
        ...


class LanguageModel(Protocol):
    """A configured provider of model calls."""

    async def complete(
        self, instruction: str, *, data: Mapping[str, Any], output_schema: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | Fault:
        """`{text, usage}`: one model call; what goes wrong comes back as a value.

        `data` besides where a schema was given and the model answers with a value of its own.
        """
        ...


class WebCaller(Protocol):
    """Makes requests to the world outside, and only to where they may go."""

    @property
    def allowance(self) -> Allowance:
        """What is open besides the public Internet."""
        ...

    async def request(self, request: WebRequest, *, within: timedelta) -> WebAnswer | Fault:
        """The answer, redirects followed, of any status; what goes wrong comes back as a value.

        Every address is checked before it is connected to, and no other one is connected to.
        """
        ...
