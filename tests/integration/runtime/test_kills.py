"""Processes that are killed: their runs go on elsewhere, and poisoned ones come to an end."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any, Final, LiteralString

import anyio
import pytest

from ordinaut_mcp.domain.run import Run, RunState, StepState
from ordinaut_mcp.store.pool import row
from tests.integration.runtime.station import Outside, Station

pytestmark = pytest.mark.anyio

READY = "Running as"
LEASE: Final[LiteralString] = """
    SELECT lease_until, ordinaut.now() AS now, epoch FROM ordinaut.due_work WHERE run_id = %(id)s
"""


def a_call(step_id: str, uses: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "uses": uses, **more}


async def lease_of(station: Station, run: Run) -> tuple[datetime, datetime]:
    """Until when the run is leased, and what time it is there."""
    async with station.pool.connection() as connection:
        found = await row(connection, LEASE, {"id": run.id})
    assert found is not None
    return found["lease_until"], found["now"]


async def killed(worker: Outside) -> None:
    worker.tell(signal.SIGKILL)
    assert await worker.gone() == -signal.SIGKILL


async def test_the_run_of_a_killed_process_goes_on_elsewhere_long_before_its_lease_ends(
    station: Station,
) -> None:
    with anyio.fail_after(120), station.outside("first", "worker", lease_seconds=30) as first:
        await first.until_says(READY)
        run = await station.order(a_call("a", "gate.wait"))
        await station.until_calls("wait", 1)
        with station.outside("second", "worker", "reaper", lease_seconds=30) as second:
            await second.until_says(READY)
            lease_until, _ = await lease_of(station, run)
            await killed(first)
            await station.until_calls("wait", 2)
            _, resumed_at = await lease_of(station, run)
            station.open_gate()
            ended = await station.ended(run)
            second.tell(signal.SIGTERM)
            assert await second.gone() == 0

    # The lease would have held for half of its time at least.
    assert (lease_until - resumed_at).total_seconds() > 15
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    one, two = station.calls("wait")
    assert one == two


async def test_a_run_that_kills_three_processes_is_a_dead_letter(station: Station) -> None:
    with anyio.fail_after(120):
        async with station.inside("reaper"):
            with station.outside("worker1", "worker", lease_seconds=30) as worker:
                await worker.until_says(READY)
                run = await station.order(a_call("a", "gate.wait"))
                await station.until_calls("wait", 1)
                await killed(worker)
            for number in (2, 3):
                with station.outside(f"worker{number}", "worker", lease_seconds=30) as worker:
                    await station.until_calls("wait", number)
                    await killed(worker)
            ended = await station.ended(run)
            with station.outside("last", "worker", lease_seconds=30) as last:
                await last.until_says(READY)
                other = await station.ended(await station.order(a_call("a", "gate.count")))
                last.tell(signal.SIGTERM)
                assert await last.gone() == 0

    assert (ended.state, ended.attempt, ended.executed) == (RunState.FAILED, 3, False)
    assert ended.error is not None
    assert ended.error["code"] == "worker_lost"
    # What became of the call is not known, and nobody makes it a fourth time.
    assert [step.state for step in ended.steps] == [StepState.UNKNOWN]
    assert len(station.calls("wait")) == 3
    assert other.state is RunState.SUCCEEDED


async def test_a_process_whose_heartbeat_is_cut_keeps_the_run_under_way(station: Station) -> None:
    cut = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'ordinaut heartbeat' AND datname = current_database()
    """
    with anyio.fail_after(120), station.outside("worker", "worker", "reaper") as worker:
        await worker.until_says(READY)
        run = await station.order(a_call("a", "gate.wait"))
        await station.until_calls("wait", 1)
        async with station.pool.connection() as connection:
            await connection.execute(cut)
        before, _ = await lease_of(station, run)
        # The lease is renewed over a new connection, twice to be sure.
        for _ in range(2):
            renewed = before
            while renewed == before:
                renewed, _ = await lease_of(station, run)
            before = renewed
        station.open_gate()
        ended = await station.ended(run)
        worker.tell(signal.SIGTERM)
        assert await worker.gone() == 0

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)
    assert len(station.calls("wait")) == 1
