"""What was foreseen is what would be decided in the moment; or it is computed anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.decision import DueTask
from ordinaut_mcp.domain.foresight import Foresight
from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import Overlap, Policies
from tests.doubles.definitions import a_definition

SECOND = timedelta(seconds=1)
SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def a_due_task(policies: Policies, *, live_runs: int = 0) -> DueTask:
    definition = a_definition(policies=policies)
    first = next(iter(computable(definition.schedule).slots_after(SINCE)))
    return DueTask(
        id=TaskId(1),
        generation=1,
        definition=definition.to_dict(),
        next_run_at=first.at,
        runs_started=0,
        live_runs=live_runs,
    )


@given(
    late=st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=3)),
    overlap=st.sampled_from(Overlap),
    misfire=st.sampled_from(["latest", "all", "skip"]),
    live_runs=st.integers(0, 1),
    limits=st.fixed_dictionaries(
        {"max_lateness": st.none() | st.timedeltas(timedelta(0), timedelta(days=2))}
    ),
)
def test_whatever_the_moment_the_decision_is_the_same(
    late: timedelta, overlap: Overlap, misfire: Any, live_runs: int, limits: dict[str, Any]
) -> None:
    rules = Policies(overlap=overlap, misfire=misfire, **limits)
    task = a_due_task(rules, live_runs=live_runs)
    foresight = Foresight()
    foresight.look(task)

    now = task.next_run_at + late

    assert account_for(task, now, foresight) == account_for(task, now)


def test_what_is_foreseen_is_used_once() -> None:
    task, foresight = a_due_task(Policies()), Foresight()
    foresight.look(task)
    foresight.look(task)
    assert len(foresight) == 1

    foresight.take(task, task.next_run_at)

    assert len(foresight) == 0


def test_an_edit_is_not_judged_by_what_was_foreseen_before() -> None:
    task, foresight = a_due_task(Policies()), Foresight()
    foresight.look(task)
    edited = a_definition(policies=Policies(priority=9)).to_dict()

    taken = foresight.take(replace(task, generation=2, definition=edited), task.next_run_at)

    assert taken.definition.policies.priority == 9


def test_what_cannot_be_computed_is_told_in_the_moment_and_not_before() -> None:
    task, foresight = replace(a_due_task(Policies()), definition={}), Foresight()

    foresight.look(task)

    assert len(foresight) == 0
    with pytest.raises(LookupError):
        foresight.take(task, task.next_run_at)


def test_what_is_never_asked_for_is_forgotten() -> None:
    task, foresight = a_due_task(Policies()), Foresight()
    foresight.look(task)

    foresight.forget(task.next_run_at + 59 * SECOND)
    assert len(foresight) == 1

    foresight.forget(task.next_run_at + 61 * SECOND)
    assert len(foresight) == 0
