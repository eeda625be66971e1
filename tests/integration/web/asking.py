"""Requests as a step makes them, with a resolver and a network that tests hold in their hands."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpcore2

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import Fault, Returned, ToolOutcome
from ordinaut_mcp.runtime.steps.call import StepCall
from ordinaut_mcp.runtime.steps.http import requester
from ordinaut_mcp.web.client import WebClient
from ordinaut_mcp.web.network import dial

KEY = "ordinaut-run_1-0/a"
SOON = timedelta(seconds=5)


class Names:
    """A resolver: each name gives its answers in turn, and the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(f"{host} is not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Network:
    """Counts the connections, and leads those of public addresses to the loopback."""

    def __init__(self, to: int | None = None) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._to = to

    async def __call__(
        self,
        address: str,
        port: int,
        timeout: float | None,  # noqa: ASYNC109 — httpcore2's own word
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((address, port))
        if self._to is None:
            raise httpcore2.ConnectError("nobody is there")
        return await dial("127.0.0.1", self._to, timeout)


class Browser:
    """One way out, used as `http.request` uses it."""

    def __init__(
        self,
        *allowed: str,
        names: Names | None = None,
        network: Network | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.names = names or Names()
        self.client = WebClient(
            Allowance.parse(allowed), resolve=self.names, dial=network or dial, tls=tls
        )

    async def outcome(self, url: str, *, within: timedelta = SOON, **more: Any) -> ToolOutcome:
        call = StepCall(
            arguments={"url": url, **more},
            context=RenderContext(values={}, now=datetime(2026, 1, 1, tzinfo=UTC), zone=UTC),
            idempotency_key=KEY,
            timeout=within,
        )
        with anyio.fail_after(10):
            return await requester(self.client)(call)

    async def get(self, url: str, **more: Any) -> dict[str, Any]:
        """The result of a call that succeeds."""
        outcome = await self.outcome(url, **more)
        assert isinstance(outcome, Returned), outcome
        return outcome.value

    async def fault(self, url: str, **more: Any) -> Fault:
        """How a call fails."""
        outcome = await self.outcome(url, **more)
        assert isinstance(outcome, Fault), outcome
        return outcome
