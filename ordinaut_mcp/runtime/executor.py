"""The executor: begins attempts at runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Protocol

from ordinaut_mcp.domain.run import ClaimedRun, Failed, JournalLine, Outcome, run_name
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import RunQueue
from ordinaut_mcp.runtime.batches import Batches
from ordinaut_mcp.runtime.plans import Plans
from ordinaut_mcp.runtime.run_attempt import RunAttempt
from ordinaut_mcp.runtime.scene import Scene
from ordinaut_mcp.runtime.tools import PipelineTools

log = logging.getLogger(__name__)

CORRECT = "Correct the task: update_task."
UNREADABLE = {
    "code": "internal_error",
    "message": "What is stored of this task's definition cannot be read.",
    "hint": "Schedule it anew: schedule_task with all its arguments.",
}


class Attempt(Protocol):
    """One attempt at a run; every fault of the task comes back as an outcome."""

    @property
    def lines(self) -> list[JournalLine]:
        """What the journal does not have yet; it goes with the settlement."""
        ...

    def compute(self) -> Outcome | None:
        """Go on without waiting; None: there is something to wait for."""
        ...

    async def carry_out(self) -> Outcome:
        """Go on to the end of the attempt.

        Raises:
            LeaseLost: another worker holds the run now.
        """
        ...


class Unreadable:
    """An attempt that ends before it begins."""

    def __init__(self, outcome: Failed) -> None:
        self._outcome = outcome
        self.lines: list[JournalLine] = []

    def compute(self) -> Outcome:
        """Why."""
        return self._outcome

    async def carry_out(self) -> Outcome:
        """Why."""
        return self._outcome


class Executor:
    """Begins attempts over one queue and one set of tools."""

    def __init__(self, queue: RunQueue, tools: PipelineTools, random: Random) -> None:
        self._journal = Batches(queue.journal)
        self._tools = tools
        self._random = random
        self._plans = Plans()

    def begin(self, claimed: ClaimedRun, is_held: Callable[[], bool]) -> Attempt:
        """One attempt; `is_held` says whether the lease has not ended by our own clock."""
        try:
            plan = self._plans.of(claimed)
        except OrdinautError as error:
            return Unreadable(Failed({"hint": CORRECT, **error.as_dict()}))
        except (LookupError, TypeError, ValueError, AttributeError):
            log.exception("%s: its definition cannot be read", run_name(claimed.lease.run_id))
            return Unreadable(Failed(UNREADABLE))
        scene = Scene(claimed, plan, self._tools, self._journal, is_held)
        return RunAttempt(scene, self._random)
