"""concurrency_key and max_concurrent through a client: behaviour 27."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually

SLOW = [{"id": "a", "uses": "echo.sleep", "with": {"seconds": 0.15}}]


def ended(session: Session, run: dict[str, Any]) -> dict[str, Any]:
    """The run when it is over."""

    def look() -> dict[str, Any] | None:
        found = session.call("get_run", run=run["id"])["run"]
        return found if found["finished_at"] else None

    return eventually(look, within=30, what=f"{run['id']} ends")


def spans(session: Session, runs: list[dict[str, Any]]) -> list[tuple[datetime, datetime]]:
    """When each run was under way."""
    whole = [session.call("get_run", run=run["id"])["run"] for run in runs]
    return sorted(
        (datetime.fromisoformat(run["started_at"]), datetime.fromisoformat(run["finished_at"]))
        for run in whole
    )


def test_runs_of_two_tasks_with_one_key_never_overlap(session: Session, key: str) -> None:
    ordered: list[dict[str, Any]] = []
    for name in ("one", "two"):
        request = task(key=f"{key}-{name}", pipeline=SLOW, concurrency_key=key)
        stored = session.call("schedule_task", **request)["task"]
        assert stored["rules"]["concurrency_key"] == key
        ordered += [session.call("run_now", task=stored["id"])["run"] for _ in range(3)]

    for run in ordered:
        assert ended(session, run)["state"] == "succeeded"

    assert all(before[1] <= after[0] for before, after in pairwise(spans(session, ordered)))


def test_a_task_may_have_a_limit_of_its_own(session: Session, key: str) -> None:
    request = task(key=key, pipeline=SLOW, max_concurrent=2)
    stored = session.call("schedule_task", **request)["task"]

    ordered = [session.call("run_now", task=stored["id"])["run"] for _ in range(6)]
    for run in ordered:
        assert ended(session, run)["state"] == "succeeded"

    under_way = spans(session, ordered)
    for start, _ in under_way:
        assert sum(one <= start < end for one, end in under_way) <= 2
