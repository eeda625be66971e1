"""How the suites ask a queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

from anyio import to_thread

from ordinaut_mcp.domain.run import ClaimedRun, Lease, ProcessId, RunId, StepRecord, StepState
from tests.contract.worlds import World

ANN, BOB = ProcessId(1), ProcessId(2)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)
TOO_LATE = timedelta(seconds=31)
WRONG = {"code": "tool_error", "message": "It went wrong."}


async def claimed(world: World, process: ProcessId = ANN, limit: int = 10) -> list[ClaimedRun]:
    return list(await world.queue.claim(process, limit=limit, lease_for=LEASE))


async def claimed_ids(world: World, process: ProcessId = ANN, limit: int = 10) -> list[RunId]:
    return [run.lease.run_id for run in await claimed(world, process, limit)]


async def the_lease(world: World, process: ProcessId = ANN) -> Lease:
    [run] = await claimed(world, process, 1)
    return run.lease


async def lost_runs(world: World, process: ProcessId, leases: list[Lease]) -> set[RunId]:
    """One heartbeat, from a thread as in life; the runs whose leases are lost."""
    lost = await to_thread.run_sync(partial(world.keeper.beat, process, leases, lease_for=LEASE))
    return {lease.run_id for lease in lost}


def a_step(state: StepState = StepState.RUNNING, path: str = "a") -> StepRecord:
    return StepRecord(path=path, position=0, uses="echo.say", state=state, attempt=1)


def done(output: object, path: str = "a") -> StepRecord:
    return replace(a_step(StepState.SUCCEEDED, path), output=output)
