"""What a task is called, and that its definition is read back as it was."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.domain.stuck import StuckSchedule
from ordinaut_mcp.domain.task import (
    Overlap,
    Policies,
    TaskDefinition,
    no_such_task,
    task_name,
    task_number,
)
from tests.doubles.definitions import NOTHING, a_definition

SPANS = st.timedeltas(timedelta(0), timedelta(days=30))
POLICIES = st.builds(
    Policies,
    misfire=st.sampled_from(["latest", "all", "skip"]),
    max_lateness=st.none() | SPANS,
    overlap=st.sampled_from(Overlap),
    jitter=SPANS,
    max_runs=st.none() | st.integers(1, 10**6),
    priority=st.integers(1, 9),
    retry=st.builds(RetryPolicy, max_retries=st.integers(0, 9), backoff=st.sampled_from(Backoff)),
    step_timeout=SPANS,
    run_timeout=SPANS,
)


@given(number=st.integers(1, 10**18 - 1))
def test_a_name_is_read_back(number: int) -> None:
    assert task_number(task_name(number)) == number


@pytest.mark.parametrize(
    "text", ["", "task_0", "task_01", "task_", "task_-1", "Task_1", "task_1 ", "task_1\n", "report"]
)
def test_any_other_text_is_a_key(text: str) -> None:
    assert task_number(text) is None


def test_what_is_not_there_is_told_without_repeating_all_of_it() -> None:
    error = no_such_task("x" * 1_000)

    assert (error.code, error.field) == ("not_found", "task")
    assert "x" * 60 + "…" in error.message
    assert "x" * 61 not in error.message


@given(policies=POLICIES)
def test_policies_are_read_back_from_json(policies: Policies) -> None:
    assert Policies.from_dict(json.loads(json.dumps(policies.to_dict()))) == policies


def test_no_lateness_at_all_is_not_taken_for_no_limit() -> None:
    policies = Policies(max_lateness=timedelta(0))

    assert Policies.from_dict(policies.to_dict()).max_lateness == timedelta(0)


@given(policies=POLICIES)
def test_the_accounting_is_given_its_part_of_the_policies(policies: Policies) -> None:
    policy = policies.misfire_policy

    assert (policy.misfire, policy.max_lateness) == (policies.misfire, policies.max_lateness)


@pytest.mark.parametrize(
    "expr", ["0 8 * * 1-5", "every 15m", "in 20m", "FREQ=MONTHLY;BYMONTHDAY=1", "2027-01-01T08:00"]
)
def test_a_definition_is_read_back_from_json(expr: str) -> None:
    definition = a_definition(expr=expr, params={"city": "Chișinău", "n": [1, 2.5, None]})

    stored = json.loads(json.dumps(definition.to_dict()))

    assert TaskDefinition.from_dict(stored) == definition


def test_a_definition_in_a_zone_that_has_gone_is_read_as_stuck() -> None:
    stored = a_definition().to_dict()
    stored["schedule"]["timezone"] = "Europe/Atlantis"

    schedule = TaskDefinition.from_dict(stored).schedule

    assert isinstance(schedule, StuckSchedule)
    assert schedule.timezone == "Europe/Atlantis"


def test_tasks_that_do_the_same_have_one_digest_whenever_they_do_it() -> None:
    one, other = a_definition(params={"a": 1, "b": 2}), a_definition(params={"b": 2, "a": 1})
    moved = a_definition(params={"a": 1, "b": 2}, expr="every 1h", timezone="UTC")

    assert one.pipeline_digest == other.pipeline_digest == moved.pipeline_digest


def test_tasks_that_do_something_else_have_another_digest() -> None:
    digests = {
        a_definition().pipeline_digest,
        a_definition(params={"a": 1}).pipeline_digest,
        a_definition({**NOTHING, "id": "other"}).pipeline_digest,
        a_definition(NOTHING, {**NOTHING, "id": "other"}).pipeline_digest,
    }

    assert len(digests) == 4
