"""What may be sent on, from which step, and what a caller is told where it may not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ordinaut_mcp.domain.redrive import AtOnce, Redrive, Repeat, Sending, Standing, is_over, sending
from ordinaut_mcp.domain.run import LIVE, RunId, RunState, StepRecord, StepState, TaskId
from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import Conflict, InvalidInput, OrdinautError

CONTINUED = {"code": "tool_error", "message": "No.", "continued": True}
ENDED_BADLY = (RunState.FAILED, RunState.CANCELED)
SENT = (*ENDED_BADLY, RunState.WAITING, RunState.RETRYING)
REFUSED = (RunState.SUCCEEDED, RunState.SKIPPED, RunState.QUEUED, RunState.RUNNING)
DONE = (StepState.SUCCEEDED, StepState.SKIPPED)

Line = tuple[StepState, bool] | None
"""A step's state and whether it fell back; None: the journal has no line of it."""
LINES = st.lists(
    st.none() | st.tuples(st.sampled_from(list(StepState)), st.booleans()), min_size=1, max_size=8
)


def standing(
    *lines: Line, state: RunState = RunState.FAILED, task: TaskStatus = TaskStatus.ACTIVE
) -> Standing:
    """A run whose steps are called a, b, c … and have these lines."""
    steps = [chr(ord("a") + at) for at in range(len(lines))]
    return Standing(
        run_id=RunId(12),
        state=state,
        task_id=TaskId(3),
        task_key="mine",
        task_status=task,
        steps=steps,
        journal={
            step: record(step, at, line)
            for at, (step, line) in enumerate(zip(steps, lines, strict=True))
            if line is not None
        },
    )


def record(step: str, position: int, line: tuple[StepState, bool]) -> StepRecord:
    return StepRecord(
        path=step,
        position=position,
        uses="echo.say",
        state=line[0],
        error=CONTINUED if line[1] else None,
    )


def done_before(run: Standing, position: int) -> bool:
    return all(is_over(run.journal.get(step)) for step in run.steps[:position])


def refusal(run: Standing, from_step: str | None = None) -> OrdinautError:
    with pytest.raises(OrdinautError) as refused:
        sending(run, from_step)
    return refused.value


def answered(run: Standing, from_step: str | None) -> Sending | InvalidInput:
    try:
        return sending(run, from_step)
    except InvalidInput as error:
        return error


@given(lines=LINES, state=st.sampled_from(ENDED_BADLY))
def test_a_run_that_ended_badly_goes_on_at_its_first_step_that_is_not_over(
    lines: Sequence[Line], state: RunState
) -> None:
    run = standing(*lines, state=state)

    how = sending(run, None)

    assert isinstance(how, Redrive)
    assert done_before(run, how.position)
    if how.step is None:
        assert how.position == len(lines)
    else:
        assert run.steps[how.position] == how.step
        assert not is_over(run.journal.get(how.step))


@given(lines=LINES, state=st.sampled_from(SENT), at=st.integers(0, 7))
def test_a_step_may_be_the_first_exactly_where_all_before_it_are_over(
    lines: Sequence[Line], state: RunState, at: int
) -> None:
    assume(at < len(lines))
    run = standing(*lines, state=state)

    how = answered(run, run.steps[at])

    assert isinstance(how, Redrive) == done_before(run, at)
    if isinstance(how, Redrive):
        assert (how.position, how.step) == (at, run.steps[at])


@given(lines=LINES, state=st.sampled_from(SENT), at=st.integers(0, 7))
def test_what_a_refusal_allows_is_exactly_what_is_taken(
    lines: Sequence[Line], state: RunState, at: int
) -> None:
    assume(at < len(lines))
    run = standing(*lines, state=state)
    refused = answered(run, run.steps[at])
    assume(isinstance(refused, InvalidInput))
    assert isinstance(refused, InvalidInput)

    taken = [step for step in run.steps if isinstance(answered(run, step), Redrive)]

    assert refused.field == "from_step"
    assert refused.allowed == taken
    assert taken


@given(lines=LINES, state=st.sampled_from(SENT))
def test_a_step_that_may_have_had_its_effect_is_named_where_it_is_forgotten(
    lines: Sequence[Line], state: RunState
) -> None:
    run = standing(*lines, state=state)

    how = sending(run, "a")

    open_ended = {StepState.RUNNING, StepState.UNKNOWN}
    assert isinstance(how, Redrive)
    assert list(how.doubtful) == [
        step for step in run.steps if step in run.journal and run.journal[step].state in open_ended
    ]


@given(lines=LINES, state=st.sampled_from(REFUSED), task=st.sampled_from(list(TaskStatus)))
def test_what_has_ended_well_never_began_or_is_on_its_way_is_refused(
    lines: Sequence[Line], state: RunState, task: TaskStatus
) -> None:
    error = refusal(standing(*lines, state=state, task=task))

    assert isinstance(error, Conflict)
    assert error.field == "run"
    assert error.hint


@given(lines=LINES, state=st.sampled_from(SENT))
def test_nothing_of_a_canceled_task_is_sent_on(lines: Sequence[Line], state: RunState) -> None:
    error = refusal(standing(*lines, state=state, task=TaskStatus.CANCELED), "a")

    assert (error.code, error.field) == ("conflict", "run")
    assert error.message == "task_3 of run_12 is canceled: nothing of it starts any more."
    assert error.hint == (
        "Call schedule_task with key='mine' to make it active anew, then retry the run."
    )


@pytest.mark.parametrize("task", [TaskStatus.PAUSED, TaskStatus.COMPLETED])
def test_a_run_of_a_paused_or_completed_task_may_be_sent_again(task: TaskStatus) -> None:
    assert sending(standing(None, task=task), None) == Redrive(0, "a")


def test_every_state_is_either_sent_on_or_refused() -> None:
    assert {*SENT, *REFUSED} == set(RunState)
    assert {RunState.WAITING, RunState.RETRYING} < LIVE


def test_a_parked_run_repeats_the_call_whose_outcome_is_unknown() -> None:
    done, unknown = (StepState.SUCCEEDED, False), (StepState.UNKNOWN, False)

    assert sending(standing(done, unknown, None, state=RunState.WAITING), None) == Repeat("b")
    assert sending(standing(done, None, state=RunState.WAITING), None) == Repeat(None)


def test_a_parked_run_with_a_step_to_begin_at_is_a_redrive() -> None:
    run = standing((StepState.SUCCEEDED, False), (StepState.UNKNOWN, False), state=RunState.WAITING)

    assert sending(run, "b") == Redrive(1, "b", ("b",))
    assert sending(run, "a") == Redrive(0, "a", ("b",))


def test_a_retrying_run_is_tried_at_once() -> None:
    run = standing((StepState.FAILED, False), None, state=RunState.RETRYING)

    assert sending(run, None) == AtOnce()
    assert sending(run, "a") == Redrive(0, "a")


def test_a_step_that_fell_back_counts_as_over() -> None:
    run = standing((StepState.FAILED, True), (StepState.FAILED, False))

    assert sending(run, None) == Redrive(1, "b")


def test_a_run_that_had_only_to_end_resets_nothing() -> None:
    run = standing(*[(state, False) for state in DONE], state=RunState.CANCELED)

    assert sending(run, None) == Redrive(2, None)


def test_a_step_that_is_not_there_is_named_with_the_nearest() -> None:
    run = standing((StepState.SUCCEEDED, False), None)

    error = refusal(run, "aa")

    assert error.message == "run_12 has no step 'aa'."
    assert error.allowed == ["a", "b"]
    assert error.hint == "Did you mean 'a'?"
    assert refusal(run, "weather").hint == "get_run shows its steps."


def test_a_step_behind_one_that_failed_is_refused_with_where_it_can_begin() -> None:
    error = refusal(standing((StepState.SUCCEEDED, False), (StepState.FAILED, False), None), "c")

    assert error.code == "invalid"
    assert error.message == ("run_12 cannot begin at 'c': step 'b' before it has not succeeded.")
    assert error.hint == "Begin at 'b' or before it."
    assert error.allowed == ["a", "b"]


def test_without_a_key_a_canceled_task_is_made_anew() -> None:
    run = standing(None, task=TaskStatus.CANCELED)
    keyless = Standing(
        run_id=run.run_id,
        state=run.state,
        task_id=run.task_id,
        task_key=None,
        task_status=run.task_status,
        steps=run.steps,
        journal=run.journal,
    )

    assert refusal(keyless).hint == "Call schedule_task for a new task, and run_now with it."
