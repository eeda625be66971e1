"""An executor over the queue in memory and scripted tools, one attempt at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Failed,
    Outcome,
    Parked,
    ProcessId,
    RunId,
    Settlement,
    StepRecord,
    Succeeded,
)
from ordinaut_mcp.domain.task import Policies
from ordinaut_mcp.domain.tool import Fault, FaultKind
from ordinaut_mcp.ports import LanguageModel, WebCaller
from ordinaut_mcp.runtime.executor import Executor
from ordinaut_mcp.runtime.persistence import persisted
from ordinaut_mcp.runtime.steps.catalog import builtins
from ordinaut_mcp.runtime.tools import PipelineTools
from tests.doubles.definitions import a_definition
from tests.doubles.memory_queue import MemoryQueue, Work
from tests.doubles.scripted_tools import ScriptedTools, WorkerDied
from tests.unit.runtime.letters import MemoryEvents, MemoryMessages

LEASE = timedelta(seconds=30)
WORKER = ProcessId(1)
BROKEN = Fault(kind=FaultKind.TOOL_ERROR, message="it went wrong", sent=True)


class Bench:
    """One run of these steps."""

    def __init__(
        self,
        *steps: Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
        model: LanguageModel | None = None,
        web: WebCaller | None = None,
    ) -> None:
        self.queue = MemoryQueue()
        self.tools = ScriptedTools()
        own = builtins(model, messages=MemoryMessages(), events=MemoryEvents(), web=web)
        self._all_tools = PipelineTools(own, self.tools, self.tools.specs)
        self.executor = Executor(self.queue, self._all_tools, Random(1))
        definition = a_definition(*steps, params=params, policies=policies)
        self.run_id: RunId = self.queue.add(definition.to_dict())

    def rebuild(self) -> None:
        """An executor that knows nothing of what was before."""
        self.executor = Executor(self.queue, self._all_tools, Random(1))

    @property
    def work(self) -> Work:
        """The run as the queue has it."""
        return self.queue.works[self.run_id]

    def step(self, path: str) -> StepRecord:
        """One line of its journal."""
        return self.work.journal[path]

    @property
    def called(self) -> list[str]:
        """The tools that were called, in order."""
        return [call.uses for call in self.tools.calls]

    async def claim(self) -> ClaimedRun:
        """Begin an attempt; rests and leases are over."""
        self.queue.now = max(self.queue.now, self.work.run_at)
        [claimed] = await self.queue.claim(WORKER, limit=1, lease_for=LEASE)
        return claimed

    async def attempt(self) -> Outcome:
        """One attempt from the claim to the settlement."""
        claimed = await self.claim()
        return await self.carry_out(claimed)

    async def carry_out(
        self, claimed: ClaimedRun, *, is_held: Callable[[], bool] = lambda: True
    ) -> Outcome:
        """What a worker does with a claimed run, to its settlement."""
        attempt = self.executor.begin(claimed, is_held)
        with anyio.fail_after(5):
            outcome = attempt.compute() or await attempt.carry_out()
        settlement = Settlement(claimed.lease, outcome, attempt.lines)
        await persisted(lambda: self.queue.settle([settlement]))
        return outcome

    async def crash(self) -> None:
        """One attempt whose worker dies in the middle of a call, and the reaper after it."""
        claimed = await self.claim()
        with pytest.raises(WorkerDied):
            await self.carry_out(claimed)
        await self.reap()

    async def reap(self) -> None:
        """The lease ends; the run is given back."""
        self.queue.now += LEASE + timedelta(seconds=1)
        assert await self.queue.reap(crashes_allowed=9) == 1

    async def output(self) -> Any:
        """What the run comes to, in one attempt that succeeds."""
        outcome = await self.attempt()
        assert isinstance(outcome, Succeeded), outcome
        return outcome.output

    async def failure(self) -> Failed:
        """How the attempt fails."""
        outcome = await self.attempt()
        assert isinstance(outcome, Failed), outcome
        return outcome

    async def parked(self) -> Parked:
        """Why the run waits after the attempt."""
        outcome = await self.attempt()
        assert isinstance(outcome, Parked), outcome
        return outcome


def a_set(step_id: str, value: Any, /, **more: Any) -> dict[str, Any]:
    """A step that gives a value a name."""
    return {"id": step_id, "uses": "value.set", "with": {"value": value}, **more}


def a_call(step_id: str, uses: str = "echo.say", /, **more: Any) -> dict[str, Any]:
    """A step that calls a tool."""
    return {"id": step_id, "uses": uses, **more}
