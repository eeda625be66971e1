"""The `ToolCaller` port, answering as a test has written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolHints, ToolOutcome, ToolSpec

READ_ONLY = ToolHints(read_only=True, destructive=False, idempotent=True)
WRITES = ToolHints()


class WorkerDied(Exception):
    """Stands for the end of the worker in the middle of a call."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call as the tool server saw it."""

    uses: str
    arguments: Mapping[str, Any]
    key: str
    timeout: timedelta


Answer = ToolOutcome | Exception | Callable[[Called], ToolOutcome]


class ScriptedTools:
    """Each tool gives its answers in turn, and the last one for ever."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.begun = anyio.Event()
        """Set by the first call."""
        self._answers: dict[str, list[Answer]] = {}
        self._specs: dict[str, ToolSpec] = {}
        self._hanging: set[str] = set()
        self.looks_until_known = 0
        """So often the catalog is still empty when it is looked at."""

    def on(self, uses: str, *answers: Answer, hints: ToolHints = READ_ONLY) -> None:
        """Have this tool, and what it answers."""
        server, _, name = uses.partition(".")
        self._specs[uses] = ToolSpec(server=server, name=name, hints=hints)
        self._answers[uses] = list(answers)

    def hang(self, uses: str, *, hints: ToolHints = READ_ONLY) -> None:
        """Have this tool, which never answers."""
        self.on(uses, Returned(None), hints=hints)
        self._hanging.add(uses)

    def specs(self) -> Mapping[str, ToolSpec]:
        """The catalog."""
        if self.looks_until_known > 0:
            self.looks_until_known -= 1
            return {}
        return self._specs

    async def call(
        self,
        uses: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: str,
        timeout: timedelta,  # noqa: ASYNC109 — as the port has it
    ) -> ToolOutcome:
        called = Called(uses, dict(arguments), idempotency_key, timeout)
        self.calls.append(called)
        self.begun.set()
        await checkpoint()
        if uses in self._hanging:
            await anyio.sleep_forever()
        if uses not in self._answers:
            return Fault(kind=FaultKind.UNKNOWN_TOOL, message=f"there is no {uses}")
        answers = self._answers[uses]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(called) if callable(answer) else answer
