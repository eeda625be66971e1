"""run_now and get_run: one key, one run; and everything about it can be seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.product import Product
from tests.acceptance.session import Session
from tests.acceptance.tasks import task, value_step

BIG = "x" * 5_000


@pytest.fixture
def stored(session: Session, key: str) -> dict[str, Any]:
    pipeline = [value_step({"n": "${params.n}", "m": "${params.m}"})]
    request = task(key=key, pipeline=pipeline, params={"n": 1, "m": 2})
    return session.call("schedule_task", **request)["task"]


def test_a_run_by_hand_takes_params_over_the_tasks_and_no_occurrence(
    session: Session, stored: dict[str, Any]
) -> None:
    run = session.call("run_now", task=stored["key"], params={"m": [3]}, wait_seconds=20)["run"]
    assert (run["state"], run["kind"], run["attempt"]) == ("succeeded", "manual", 1)
    assert run["output"] == {"n": 1, "m": [3]}
    assert run["task"] == stored["id"]
    assert run["verdicts"]["executed"] is True
    after = session.call("get_task", task=stored["id"])["task"]
    assert after["next_run_at"] == stored["next_run_at"]
    assert after["payload"] == stored["payload"]


def test_without_a_wait_the_answer_comes_at_once(session: Session, stored: dict[str, Any]) -> None:
    run = session.call("run_now", task=stored["id"])["run"]
    assert run["state"] in {"queued", "running", "succeeded"}
    assert session.ended_run(stored["id"])["id"] == run["id"]


def test_one_key_orders_one_run(session: Session, stored: dict[str, Any]) -> None:
    order = {"task": stored["id"], "params": {"n": 5}, "key": "once"}
    first = session.call("run_now", **order, wait_seconds=20)["run"]
    again = session.call("run_now", **order)["run"]
    assert again["id"] == first["id"]
    assert len(session.call("list_runs", task=stored["id"])["runs"]) == 1


def test_one_key_with_other_params_is_a_conflict(session: Session, stored: dict[str, Any]) -> None:
    session.call("run_now", task=stored["id"], params={"n": 5}, key="once")
    error = session.refused("run_now", task=stored["id"], params={"n": 6}, key="once")
    assert (error["code"], error["field"]) == ("conflict", "key")
    assert len(session.call("list_runs", task=stored["id"])["runs"]) == 1


def test_without_a_key_each_call_is_a_run(session: Session, stored: dict[str, Any]) -> None:
    ids = {session.call("run_now", task=stored["id"])["run"]["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_failing_step_names_itself_and_the_rest_stays_pending(session: Session, key: str) -> None:
    pipeline = [
        value_step(1),
        {"id": "no", "uses": "echo.fail", "with": {"text": "out of milk"}},
        value_step(2, "never"),
    ]
    session.call("schedule_task", **task(key=key, pipeline=pipeline, max_retries=0))
    run = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert (run["state"], run["attempt"]) == ("failed", 1)
    assert run["error"]["code"] == "tool_error"
    assert (run["error"]["step"], run["error"]["index"]) == ("no", 1)
    assert "out of milk" in run["error"]["message"]
    assert run["verdicts"]["executed"] is False
    assert [step["state"] for step in run["steps"]] == ["succeeded", "failed", "pending"]
    text = session.text("get_run", run=run["id"])
    assert "no (echo.fail): failed" in text


def test_a_tools_error_is_retried_and_what_succeeded_is_not_called_again(
    session: Session, product: Product, key: str
) -> None:
    pipeline = [
        {"id": "once", "uses": "echo.count", "with": {"mark": key}},
        {"id": "no", "uses": "echo.fail", "with": {"text": "no"}},
    ]
    rests = {"strategy": "fixed", "base_seconds": 0.01, "max_seconds": 0.01}
    session.call("schedule_task", **task(key=key, pipeline=pipeline, max_retries=2, backoff=rests))
    run = session.call("run_now", task=key, wait_seconds=30)["run"]
    assert (run["state"], run["attempt"]) == ("failed", 3)
    assert len(product.counted(key)) == 1


def test_large_values_are_cut_in_short_and_whole_in_full(session: Session, key: str) -> None:
    session.call("schedule_task", **task(key=key, pipeline=[value_step(BIG)]))
    run = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert run["output"]["truncated"] is True
    assert "detail='full'" in run["output"]["hint"]
    full = session.call("get_run", run=run["id"], detail="full")["run"]
    assert full["output"] == full["steps"][0]["output"] == BIG


@pytest.mark.parametrize("reference", ["run_999999999", "task_1", "345", "run_x"])
def test_a_run_that_is_not_there_is_not_found(session: Session, reference: str) -> None:
    error = session.refused("get_run", run=reference)
    assert error["code"] in {"not_found", "invalid_id"}
    assert error["field"] == "run"
    assert "list_runs" in error["hint"]


def test_a_template_without_a_value_fails_the_step_with_its_path(
    session: Session, key: str
) -> None:
    pipeline = [value_step("${params.missing}"), value_step("${params.missing || 'none'}", "b")]
    session.call("schedule_task", **task(key=key, pipeline=pipeline[1:]))
    good = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert (good["state"], good["output"]) == ("succeeded", "none")
    session.call("schedule_task", **task(key=f"{key}-2", pipeline=pipeline, params={"n": 1}))
    bad = session.call("run_now", task=f"{key}-2", wait_seconds=20)["run"]
    assert bad["state"] == "failed"
    assert "params.missing" in bad["error"]["message"]
    assert bad["attempt"] == 1


def test_a_hostile_servers_noise_does_not_reach_the_run(session: Session, key: str) -> None:
    session.call(
        "schedule_task", **task(key=key, pipeline=[{"id": "j", "uses": "evil.junk", "with": {}}])
    )
    run = session.call("run_now", task=key, wait_seconds=30)["run"]
    assert (run["state"], run["output"]) == ("succeeded", {"text": "still here"})
