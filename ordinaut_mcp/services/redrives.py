"""Runs that are sent on: dead letters, canceled, waiting and retrying ones."""

from __future__ import annotations

from dataclasses import dataclass

from ordinaut_mcp.domain.redrive import Sending, Standing, sending
from ordinaut_mcp.domain.rings import WORK
from ordinaut_mcp.domain.run import Run, parse_run_name
from ordinaut_mcp.ports import Bell, RedriveStore, RunStore
from ordinaut_mcp.services.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOn:
    """A run as it is now, and how it was sent on."""

    run: Run
    how: Sending


class RedriveService:
    """What agents may ask of runs that did not end well."""

    def __init__(self, runs: RunStore, redrives: RedriveStore, bell: Bell) -> None:
        self._runs = runs
        self._redrives = redrives
        self._bell = bell

    async def retry(self, caller: Caller, reference: str, *, from_step: str | None) -> SentOn:
        """Send one run on; with `from_step`, that step and all after it are called anew.

        Raises:
            NotFound: the caller has no such run.
            Conflict, InvalidInput: it cannot be sent on, or not from there.
        """
        run_id = parse_run_name(reference)

        def decide(run: Standing) -> Sending:
            return sending(run, from_step)

        how = await self._redrives.send(caller.agent, run_id, decide=decide)
        await self._bell.ring(WORK)
        return SentOn(run=await self._runs.get(caller.agent, run_id), how=how)
