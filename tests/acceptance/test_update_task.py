"""update_task: only what is named changes, and only over what the caller saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.session import Session
from tests.acceptance.tasks import task, value_step


@pytest.fixture
def stored(session: Session, key: str) -> dict[str, Any]:
    """A task with every optional part that these tests take back."""
    request = task(
        key=key, description="Long", tags=["a"], priority=9, params={"n": 1}, max_retries=0
    )
    return session.call("schedule_task", **request)["task"]


def test_what_is_not_named_stays(session: Session, stored: dict[str, Any]) -> None:
    changed = session.call("update_task", task=stored["key"], title="New")
    assert changed["created"] is False
    assert changed["task"]["title"] == "New"
    assert "title" in changed["says"]
    same = set(stored) - {"title", "generation"}
    assert {name: changed["task"][name] for name in same} == {name: stored[name] for name in same}
    assert changed["task"]["generation"] == stored["generation"] + 1


def test_null_takes_a_part_back_to_its_default(session: Session, stored: dict[str, Any]) -> None:
    changed = session.call(
        "update_task",
        task=stored["id"],
        description=None,
        tags=None,
        priority=None,
        max_retries=None,
        params=None,
    )["task"]
    assert changed["description"] is None
    assert changed["tags"] == []
    assert changed["rules"]["priority"] == 5
    assert changed["rules"]["retry"]["max_retries"] == 3
    assert changed["payload"]["params"] == {}
    assert session.call("get_task", task=stored["id"])["task"] == changed


@pytest.mark.parametrize(
    "needed",
    [
        "title",
        "schedule_expr",
        "pipeline",
    ],
)
def test_what_a_task_needs_cannot_be_taken_back(
    session: Session, stored: dict[str, Any], needed: str
) -> None:
    error = session.refused("update_task", task=stored["id"], **{needed: None})
    assert error["field"] == needed
    assert session.call("get_task", task=stored["id"])["task"] == stored


def test_another_schedule_gives_other_occurrences(session: Session, stored: dict[str, Any]) -> None:
    changed = session.call("update_task", task=stored["id"], schedule_expr="2032-03-01T09:00")
    assert changed["next"][0]["utc"] == "2032-03-01T07:00:00Z"
    assert changed["task"]["next_run_at"]["utc"] == "2032-03-01T07:00:00Z"


def test_the_same_again_changes_nothing(session: Session, stored: dict[str, Any]) -> None:
    again = session.call("update_task", task=stored["id"], title="Probe", priority=9)
    assert "Nothing changed" in again["says"]
    assert again["task"] == stored


def test_an_edit_of_something_else_does_not_start_a_span_again(session: Session, key: str) -> None:
    before = session.call("schedule_task", **task(key=key, schedule_expr="in 20m"))["task"]
    after = session.call("update_task", task=key, title="New", schedule_expr="in 20m")["task"]
    assert after["next_run_at"] == before["next_run_at"]
    assert after["title"] == "New"


def test_the_expected_generation_guards_an_edit(session: Session, stored: dict[str, Any]) -> None:
    session.call("update_task", task=stored["id"], title="First", expected_generation=1)
    error = session.refused("update_task", task=stored["id"], title="Second", expected_generation=1)
    assert (error["code"], error["field"]) == ("conflict", "expected_generation")
    assert "get_task" in error["hint"]
    now = session.call("get_task", task=stored["id"])["task"]
    assert (now["title"], now["generation"]) == ("First", 2)


def test_a_payload_replaces_the_pipeline(session: Session, stored: dict[str, Any]) -> None:
    payload = {"pipeline": [value_step(2, "b")], "params": {"m": 2}}
    changed = session.call("update_task", task=stored["id"], payload=payload)
    assert changed["task"]["payload"] == payload


def test_an_edit_pauses_and_resumes(session: Session, stored: dict[str, Any]) -> None:
    assert session.call("update_task", task=stored["id"], paused=True)["task"]["status"] == "paused"
    resumed = session.call("update_task", task=stored["id"], paused=False)["task"]
    assert resumed["status"] == "active"


def test_a_dry_run_of_an_edit_stores_nothing(session: Session, stored: dict[str, Any]) -> None:
    trial = session.call("update_task", task=stored["id"], title="Other", dry_run=True)
    assert trial["task"]["title"] == "Other"
    assert "nothing was stored" in trial["says"]
    assert session.call("get_task", task=stored["id"])["task"] == stored


def test_a_bad_edit_stores_nothing(session: Session, stored: dict[str, Any]) -> None:
    error = session.refused("update_task", task=stored["id"], title="New", timezone="Mars/Olympus")
    assert (error["code"], error["field"]) == ("unknown_timezone", "timezone")
    assert session.call("get_task", task=stored["id"])["task"] == stored


def test_a_task_that_is_not_there_is_not_found(session: Session, key: str) -> None:
    error = session.refused("update_task", task=key, title="New")
    assert (error["code"], error["field"]) == ("not_found", "task")
    assert "list_tasks" in error["hint"]
