"""pause_task, resume_task and cancel_task: what each allows, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.session import Session
from tests.acceptance.tasks import task, value_step
from tests.acceptance.waiting import eventually


@pytest.fixture
def stored(session: Session, key: str) -> dict[str, Any]:
    return session.call("schedule_task", **task(key=key))["task"]


def test_a_paused_task_says_why_and_fires_again_after_resume(
    session: Session, stored: dict[str, Any]
) -> None:
    paused = session.call("pause_task", task=stored["key"], note="On holiday")
    assert (paused["task"]["status"], paused["task"]["note"]) == ("paused", "On holiday")
    assert "On holiday" in paused["says"]
    resumed = session.call("resume_task", task=stored["id"])["task"]
    assert (resumed["status"], resumed["note"]) == ("active", None)
    assert resumed["next_run_at"] == stored["next_run_at"]


def test_what_came_due_while_paused_is_recorded_and_not_run(session: Session, key: str) -> None:
    session.call("schedule_task", **task(key=key, schedule_expr="every 1s", paused=True))

    def skipped() -> list[Any]:
        return session.call("list_runs", task=key, state="skipped")["runs"]

    eventually(lambda: _slot_passed(session, key), within=20, what="a slot passes")
    session.call("resume_task", task=key)
    first = eventually(skipped, within=20, what="the skipped slots leave a row")[-1]
    session.call("cancel_task", task=key)
    assert first["reason"] == "paused"
    assert first["skipped_count"] >= 1


def _slot_passed(session: Session, key: str) -> bool:
    found = session.call("get_task", task=key)
    return session.call("get_status")["now"]["utc"] > found["task"]["next_run_at"]["utc"]


def test_canceling_is_for_good_and_twice_is_once(session: Session, stored: dict[str, Any]) -> None:
    canceled = session.call("cancel_task", task=stored["id"])["task"]
    assert (canceled["status"], canceled["next_run_at"]) == ("canceled", None)
    assert session.call("cancel_task", task=stored["id"])["task"] == canceled
    assert session.call("get_task", task=stored["id"])["next"] == []


@pytest.mark.parametrize("tool", ["pause_task", "resume_task", "run_now"])
def test_a_canceled_task_takes_nothing_more(
    session: Session, stored: dict[str, Any], tool: str
) -> None:
    session.call("cancel_task", task=stored["id"])
    error = session.refused(tool, task=stored["id"])
    assert error["code"] == "conflict"
    assert "canceled" in error["message"]
    assert "schedule_task" in error["hint"]


def test_canceling_takes_back_what_is_queued(session: Session, key: str) -> None:
    retrying = [{"id": "no", "uses": "echo.fail", "with": {"text": "no"}}]
    session.call(
        "schedule_task",
        **task(
            key=key,
            pipeline=retrying,
            backoff={"strategy": "fixed", "base_seconds": 200, "max_seconds": 300},
        ),
    )
    run = session.call("run_now", task=key)["run"]["id"]

    def is_retrying() -> bool:
        return session.call("get_run", run=run)["run"]["state"] == "retrying"

    eventually(is_retrying, within=20, what="the first attempt fails")
    session.call("cancel_task", task=key)
    assert session.call("get_run", run=run)["run"]["state"] == "canceled"


@pytest.mark.parametrize("tool", ["get_task", "pause_task", "resume_task", "cancel_task"])
@pytest.mark.parametrize("reference", ["task_999999999", "no-such-key", "run_1"])
def test_a_task_that_is_not_there_is_not_found(session: Session, tool: str, reference: str) -> None:
    error = session.refused(tool, task=reference)
    assert (error["code"], error["field"]) == ("not_found", "task")
    assert "list_tasks" in error["hint"]


def test_a_run_is_whole_in_its_task(session: Session, key: str) -> None:
    session.call("schedule_task", **task(key=key, pipeline=[value_step(7)]))
    run = session.call("run_now", task=key, wait_seconds=20)["run"]
    [last] = session.call("get_task", task=key)["runs"]
    assert (last["id"], last["state"], last["kind"]) == (run["id"], "succeeded", "manual")
    assert last["steps"] is None
