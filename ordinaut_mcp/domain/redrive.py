"""Sending a run on: whether that may be, and from which of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ordinaut_mcp.domain.run import RunId, RunState, StepRecord, StepState, TaskId, run_name
from ordinaut_mcp.domain.task import TaskStatus, task_name
from ordinaut_mcp.errors import Conflict, InvalidInput, did_you_mean

REPEAT: Final = "repeat"
MAY_REPEAT: Final = {
    REPEAT: True,
    "code": "outcome_unknown",
    "message": "Its outcome was not known; it is called again with the same key and input.",
}
"""The mark in the journal by which an executor repeats a call without asking once more."""
_DONE: Final = frozenset({StepState.SUCCEEDED, StepState.SKIPPED})
_DOUBTFUL: Final = frozenset({StepState.RUNNING, StepState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run as it is when somebody wants it sent on; `steps` are its pipeline's ids, in order."""

    run_id: RunId
    state: RunState
    task_id: TaskId
    task_key: str | None
    task_status: TaskStatus
    steps: Sequence[str]
    journal: Mapping[str, StepRecord]


@dataclass(frozen=True, slots=True)
class Redrive:
    """The journal is forgotten from `position` on; what is called from there has new keys.

    `position` past the last step: everything was done, and the run only has to end.
    """

    position: int
    step: str | None
    doubtful: tuple[str, ...] = ()
    """Forgotten steps whose call may have had its effect."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The run goes on where it was parked: its unknown call is made again, key and input as before.

    `step` None: it was parked for another reason, and nothing is repeated.
    """

    step: str | None


@dataclass(frozen=True, slots=True)
class AtOnce:
    """The rest before the next attempt is over now; nothing else changes."""


Sending = Redrive | Repeat | AtOnce


def sending(run: Standing, from_step: str | None) -> Sending:
    """How the run is sent on.

    Raises:
        Conflict: it succeeded, was skipped, is on its way, or its task is canceled.
        InvalidInput: it cannot begin at `from_step`; `allowed` holds where it can.
    """
    _refuse_what_cannot(run)
    if from_step is not None:
        return _redrive(run, _position(run, from_step))
    if run.state is RunState.WAITING:
        return Repeat(_unknown(run))
    if run.state is RunState.RETRYING:
        return AtOnce()
    return _redrive(run, _first_open(run))


def is_over(record: StepRecord | None) -> bool:
    """Whether a step is never called again: it succeeded, was skipped, or fell back."""
    if record is None:
        return False
    return record.state in _DONE or bool(record.error and record.error.get("continued"))


def _redrive(run: Standing, position: int) -> Redrive:
    forgotten = run.steps[position:]
    doubtful = tuple(
        step for step in forgotten if step in run.journal and run.journal[step].state in _DOUBTFUL
    )
    return Redrive(position, forgotten[0] if forgotten else None, doubtful)


def _first_open(run: Standing) -> int:
    still_open = (at for at, step in enumerate(run.steps) if not is_over(run.journal.get(step)))
    return next(still_open, len(run.steps))


def _unknown(run: Standing) -> str | None:
    unknown = (step for step, record in run.journal.items() if record.state is StepState.UNKNOWN)
    return next(unknown, None)


def _position(run: Standing, from_step: str) -> int:
    first = _first_open(run)
    allowed = list(run.steps[: first + 1])
    if from_step not in run.steps:
        raise InvalidInput(
            f"{run_name(run.run_id)} has no step '{from_step[:60]}'.",
            field="from_step",
            hint=did_you_mean(from_step[:60], allowed) or "get_run shows its steps.",
            allowed=allowed,
        )
    if from_step not in allowed:
        raise InvalidInput(
            f"{run_name(run.run_id)} cannot begin at '{from_step}': step '{run.steps[first]}'"
            " before it has not succeeded.",
            field="from_step",
            hint=f"Begin at '{run.steps[first]}' or before it.",
            allowed=allowed,
        )
    return run.steps.index(from_step)


def _refuse_what_cannot(run: Standing) -> None:
    name, task = run_name(run.run_id), task_name(run.task_id)
    anew = f"Call run_now with task='{task}' for another run."
    refused = {
        RunState.SUCCEEDED: (f"{name} has succeeded; it is not sent again.", anew),
        RunState.SKIPPED: (f"{name} stands for what was skipped; it never began.", anew),
        RunState.QUEUED: (
            f"{name} is queued already and will start.",
            "Follow it with get_run. If it does not start, get_status says what is in the way.",
        ),
        RunState.RUNNING: (
            f"{name} is running.",
            "Follow it with get_run, or end it with cancel_run and retry it then.",
        ),
    }
    if run.state in refused:
        message, hint = refused[run.state]
        raise Conflict(message, field="run", hint=hint)
    if run.task_status is TaskStatus.CANCELED:
        by_key = f" with key='{run.task_key}'" if run.task_key else ""
        revive = f"Call schedule_task{by_key} to make it active anew, then retry the run."
        new = "Call schedule_task for a new task, and run_now with it."
        raise Conflict(
            f"{task} of {name} is canceled: nothing of it starts any more.",
            field="run",
            hint=revive if run.task_key else new,
        )
