"""Runs that came to an end, and sending them on."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.redrive import Sending, sending
from ordinaut_mcp.domain.run import (
    ClaimedRun,
    JournalLine,
    Lease,
    Outcome,
    ProcessId,
    RunId,
    RunKind,
    Settlement,
    StepRecord,
    StepState,
)
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.redrive import PostgresRedrives
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER
from tests.doubles.definitions import a_definition
from tests.integration.store.stored import a_task, due_runs

ANN = ProcessId(1)
WRONG = {"code": "tool_error", "message": "It went wrong."}
LOST = {"code": "outcome_unknown", "message": "Nobody knows."}
STEPS = [{"id": step, "uses": "echo.say", "with": {"text": step}} for step in "abc"]

WORK = """
    SELECT state, attempt, failures, crashes, epoch, redrive, events, error, needs_permit
    FROM ordinaut.due_work WHERE run_id = %(id)s
"""
EVENTS = """
    SELECT topic, sequence, shard, data FROM ordinaut.outbox
    WHERE run_id = %(id)s AND topic = 'run.queued' ORDER BY id
"""


def line(step: str, state: StepState, **parts: Any) -> JournalLine:
    record = StepRecord(
        path=step, position="abc".index(step), uses="echo.say", state=state, attempt=1, **parts
    )
    return JournalLine(record, 0.0, 1.0)


DONE_A = line("a", StepState.SUCCEEDED, input={"text": "a"}, output=1)
FAILED_B = line("b", StepState.FAILED, input={"text": "b"}, error=WRONG)
UNKNOWN_B = line("b", StepState.UNKNOWN, input={"text": "b"}, error=LOST)


async def claimed(pool: Pool) -> ClaimedRun:
    """The one run that is due."""
    lease = timedelta(seconds=30)
    [run] = await PostgresQueue(pool).claim(ANN, limit=1, lease_for=lease)
    return run


async def settle(pool: Pool, lease: Lease, outcome: Outcome, *lines: JournalLine) -> bool:
    """Whether the lease was held."""
    return not await PostgresQueue(pool).settle([Settlement(lease, outcome, lines)])


async def a_run(pool: Pool, outcome: Outcome, *lines: JournalLine) -> tuple[RunId, Lease]:
    """A run with the steps a, b, c whose first attempt came to this, and its lease."""
    [run_id] = await due_runs(pool, await a_task(pool, a_definition(*STEPS)), 1)
    lease = (await claimed(pool)).lease
    assert await settle(pool, lease, outcome, *lines)
    return run_id, lease


async def send(
    pool: Pool, run_id: RunId, from_step: str | None = None, owner: str = OWNER
) -> Sending:
    decide = partial(sending, from_step=from_step)
    return await PostgresRedrives(pool).send(owner, run_id, decide=decide)


async def steps_of(pool: Pool, run_id: RunId) -> dict[str, StepState]:
    run = await PostgresRuns(pool).get(OWNER, run_id)
    return {step.path: step.state for step in run.steps}


async def ordered(pool: Pool, task: Task, kind: RunKind = RunKind.MANUAL) -> RunId:
    now = await PostgresTasks(pool).now()
    rules = task.definition.policies
    wanted = NewRun(
        slot_key="at:x",
        kind=kind,
        scheduled_for=now,
        due_at=now,
        priority=rules.priority,
        limit=rules.limit(task.id),
    )
    return (await PostgresRuns(pool).order(task, wanted)).run_id
