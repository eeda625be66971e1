"""list_tasks and list_runs: filters, pages, and nobody else's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import uuid4

import pytest

from tests.acceptance.product import Product
from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually

KEYS = [f"number-{at}" for at in range(5)]


@pytest.fixture(scope="module")
def own(product: Product) -> Generator[Session, None, None]:
    """An agent with five tasks, made in order; the last two have run, one is paused."""
    with product.session(agent=f"lister-{uuid4().hex[:8]}") as session:
        for at, key in enumerate(KEYS):
            tags = ["even"] if at % 2 == 0 else ["odd"]
            session.call("schedule_task", **task(key=key, title=f"Task {at}", tags=tags))
        for key in KEYS[3:]:
            session.call("run_now", task=key, wait_seconds=20)
        session.call("pause_task", task=KEYS[0])
        session.call("cancel_task", task=KEYS[1])
        yield session


def keys(answer: dict[str, Any]) -> list[str]:
    return [one["key"] for one in answer["tasks"]]


def test_tasks_come_newest_first_and_in_short(own: Session) -> None:
    answer = own.call("list_tasks")
    assert keys(answer) == KEYS[::-1]
    assert answer["next_cursor"] is None
    assert all(one["payload"] is None for one in answer["tasks"])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"status": "active"}, [4, 3, 2]),
        ({"status": "paused"}, [0]),
        ({"status": "canceled"}, [1]),
        ({"status": "completed"}, []),
        ({"tag": "odd"}, [3, 1]),
        ({"tag": "odd", "status": "active"}, [3]),
        ({"tag": "od"}, []),
        ({"query": "task 3"}, [3]),
        ({"query": "number-2"}, [2]),
        ({"query": "100%"}, []),
        ({"limit": 2}, [4, 3]),
    ],
)
def test_tasks_are_found_by_what_they_are(
    own: Session, wanted: dict[str, Any], found: list[int]
) -> None:
    assert keys(own.call("list_tasks", **wanted)) == [KEYS[at] for at in found]


def test_tasks_come_in_pages_without_a_gap_or_a_repeat(own: Session) -> None:
    seen: list[str] = []
    page = own.call("list_tasks", limit=2)
    while page["next_cursor"]:
        seen += keys(page)
        page = own.call("list_tasks", limit=2, cursor=page["next_cursor"])
    assert seen + keys(page) == KEYS[::-1]


def test_another_agent_sees_nothing_of_them(own: Session, product: Product, agent: str) -> None:
    mine = own.call("get_task", task=KEYS[4])
    with product.session(agent=agent) as other:
        assert other.call("list_tasks")["tasks"] == []
        assert other.call("list_runs")["runs"] == []
        assert other.refused("get_task", task=mine["task"]["id"])["code"] == "not_found"
        assert other.refused("get_run", run=mine["runs"][0]["id"])["code"] == "not_found"
        assert other.refused("cancel_task", task=mine["task"]["id"])["code"] == "not_found"
        assert other.call("schedule_task", **task(key=KEYS[4]))["created"] is True
    assert own.call("get_task", task=KEYS[4])["task"] == mine["task"]


@pytest.fixture(scope="module")
def runs(own: Session) -> list[str]:
    """Three more runs of one task, oldest first."""
    ordered = [own.call("run_now", task=KEYS[2], wait_seconds=20)["run"]["id"] for _ in range(3)]
    eventually(
        lambda: len(own.call("list_runs", state="succeeded")["runs"]) == 5,
        within=20,
        what="all runs have ended",
    )
    return ordered


def run_ids(answer: dict[str, Any]) -> list[str]:
    return [one["id"] for one in answer["runs"]]


def test_runs_are_found_by_task_and_state(own: Session, runs: list[str]) -> None:
    assert run_ids(own.call("list_runs", task=KEYS[2])) == runs[::-1]
    assert run_ids(own.call("list_runs", task=KEYS[2], state="succeeded")) == runs[::-1]
    assert run_ids(own.call("list_runs", state="failed")) == []
    assert len(own.call("list_runs")["runs"]) == 5
    assert own.refused("list_runs", task="nobody")["code"] == "not_found"


def test_runs_come_in_pages_without_a_gap_or_a_repeat(own: Session, runs: list[str]) -> None:
    first = own.call("list_runs", task=KEYS[2], limit=2)
    rest = own.call("list_runs", task=KEYS[2], limit=2, cursor=first["next_cursor"])
    assert run_ids(first) + run_ids(rest) == runs[::-1]
    assert rest["next_cursor"] is None


def test_runs_are_found_by_their_nominal_instant(own: Session, runs: list[str]) -> None:
    middle = own.call("get_run", run=runs[1])["run"]["scheduled_for"]
    assert run_ids(own.call("list_runs", task=KEYS[2], since=middle)) == runs[:0:-1]
    assert run_ids(own.call("list_runs", task=KEYS[2], until=middle)) == runs[:1]
    assert run_ids(own.call("list_runs", since="2031-01-01T00:00")) == []


def test_a_bad_instant_names_its_argument(own: Session) -> None:
    assert own.refused("list_runs", since="yesterday")["field"] == "since"
    assert own.refused("list_runs", until="2026-02-30")["field"] == "until"
