"""retry_run and `run retry`: dead letters, canceled, waiting and retrying runs go on."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session
from tests.acceptance.tasks import task, value_step
from tests.acceptance.waiting import eventually
from tests.servers import HERE, entry

SLOWLY = {"strategy": "fixed", "base_seconds": 200, "max_seconds": 300}


def counting(key: str, step: str = "once") -> dict[str, Any]:
    return {"id": step, "uses": "echo.count", "with": {"mark": key}}


def failing(step: str = "no") -> dict[str, Any]:
    return {"id": step, "uses": "echo.fail", "with": {"text": "out of milk"}}


@pytest.fixture
def dead(session: Session, key: str) -> dict[str, Any]:
    """A dead letter: its first step counted, its second failed, its third is pending."""
    pipeline = [counting(key), failing(), value_step(2, "never")]
    session.call("schedule_task", **task(key=key, pipeline=pipeline, max_retries=0))
    run = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert run["state"] == "failed"
    return run


def ended(session: Session, run: str, attempt: int) -> dict[str, Any]:
    """The run as soon as this attempt of it has come to something."""

    def look() -> dict[str, Any] | None:
        found = session.call("get_run", run=run)["run"]
        is_over = found["state"] not in {"queued", "running"}
        return found if is_over and found["attempt"] >= attempt else None

    return eventually(look, within=30, what=f"attempt {attempt} of {run} ends")


def test_a_dead_letter_goes_on_where_it_failed(
    session: Session, product: Product, key: str, dead: dict[str, Any]
) -> None:
    answer = session.call("retry_run", run=dead["id"])

    assert answer["says"] == (
        f"{dead['id']} is sent again from 'no': what came before is kept, from there on every"
        " step is called anew, under new keys."
    )
    assert answer["run"]["id"] == dead["id"]
    again = ended(session, dead["id"], 2)
    assert (again["state"], again["attempt"], again["error"]["step"]) == ("failed", 2, "no")
    assert again["due_at"] == dead["due_at"]
    # What had succeeded was not called again.
    assert len(product.counted(key)) == 1
    assert [run["id"] for run in session.call("list_runs", task=key)["runs"]] == [dead["id"]]


def test_from_an_earlier_step_all_is_called_anew_under_new_keys(
    session: Session, product: Product, key: str, dead: dict[str, Any]
) -> None:
    session.call("retry_run", run=dead["id"], from_step="once")
    ended(session, dead["id"], 2)
    session.call("retry_run", run=dead["id"], from_step="once")
    ended(session, dead["id"], 3)

    keys = product.counted(key)
    assert len(keys) == len(set(keys)) == 3


def test_a_dead_letter_whose_cause_is_gone_succeeds(
    session: Session, product: Product, key: str
) -> None:
    before = len(product.calls.read_text("utf-8").splitlines()) if product.calls.exists() else 0
    # The first call of `count` is one too few.
    enough = {**counting(key), "verify": f"result.n > `{before + 1}`"}
    pipeline = [enough, value_step("${steps.once.n}", "last")]
    session.call("schedule_task", **task(key=key, pipeline=pipeline, max_retries=0))
    dead = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert (dead["state"], dead["error"]["code"]) == ("failed", "not_verified")

    session.call("retry_run", run=dead["id"])

    run = ended(session, dead["id"], 2)
    assert (run["state"], run["error"], run["output"]) == ("succeeded", None, before + 2)
    assert run["verdicts"] == {"executed": True, "verified": True, "delivered": None}


def test_a_retrying_run_is_tried_at_once(session: Session, key: str) -> None:
    session.call("schedule_task", **task(key=key, pipeline=[failing()], backoff=SLOWLY))
    run = session.call("run_now", task=key)["run"]["id"]
    assert ended(session, run, 1)["state"] == "retrying"

    answer = session.call("retry_run", run=run)

    assert answer["says"] == f"{run} is tried again at once, not after its rest."
    assert ended(session, run, 2)["state"] == "retrying"
    session.call("cancel_run", run=run)


def test_a_canceled_run_is_sent_again(session: Session, product: Product, key: str) -> None:
    pipeline = [counting(key), failing()]
    session.call("schedule_task", **task(key=key, pipeline=pipeline, backoff=SLOWLY))
    run = session.call("run_now", task=key)["run"]["id"]
    ended(session, run, 1)
    assert session.call("cancel_run", run=run)["run"]["state"] == "canceled"

    session.call("retry_run", run=run)

    again = ended(session, run, 2)
    assert (again["state"], again["reason"]) == ("retrying", None)
    assert len(product.counted(key)) == 1
    session.call("cancel_run", run=run)


def test_what_went_well_is_refused_with_what_to_do_instead(session: Session, key: str) -> None:
    stored = session.call("schedule_task", **task(key=key))["task"]
    run = session.call("run_now", task=key, wait_seconds=20)["run"]["id"]
    error = session.refused("retry_run", run=run)
    assert (error["code"], error["field"]) == ("conflict", "run")
    assert error["message"] == f"{run} has succeeded; it is not sent again."
    assert error["hint"] == f"Call run_now with task='{stored['id']}' for another run."
    assert session.text("retry_run", run=run).startswith(f"retry_run: {run} has succeeded;")


@pytest.mark.parametrize(
    ("step", "message", "allowed"),
    [
        ("never", "cannot begin at 'never': step 'no' before it has not succeeded.", 2),
        ("nope", "has no step 'nope'.", 2),
        ("", "has no step ''.", 2),
    ],
)
def test_a_step_that_it_cannot_begin_at_is_named_with_those_it_can(
    session: Session, dead: dict[str, Any], step: str, message: str, allowed: int
) -> None:
    error = session.refused("retry_run", run=dead["id"], from_step=step)
    assert (error["code"], error["field"]) == ("invalid", "from_step")
    assert error["message"] == f"{dead['id']} {message}"
    assert error["allowed"] == ["once", "no"][:allowed]
    assert session.call("get_run", run=dead["id"])["run"] == dead


def test_a_run_of_a_canceled_task_is_sent_again_once_the_task_is_active(
    session: Session, key: str, dead: dict[str, Any]
) -> None:
    session.call("cancel_task", task=key)
    error = session.refused("retry_run", run=dead["id"])
    assert (error["code"], error["field"]) == ("conflict", "run")
    assert f"schedule_task with key='{key}'" in error["hint"]

    session.call("schedule_task", **task(key=key))
    session.call("retry_run", run=dead["id"])
    # It keeps the pipeline that it began with.
    assert ended(session, dead["id"], 2)["error"]["step"] == "no"


@pytest.mark.parametrize("reference", ["run_999999999", "task_1", "345"])
def test_a_run_that_is_not_there_is_not_found(session: Session, reference: str) -> None:
    error = session.refused("retry_run", run=reference)
    assert (error["code"], error["field"]) == ("not_found", "run")
    assert "list_runs" in error["hint"]


def test_a_run_of_another_is_not_found(product: Product, agent: str, dead: dict[str, Any]) -> None:
    with product.session(agent=agent) as other:
        assert other.refused("retry_run", run=dead["id"])["code"] == "not_found"


def test_the_command_line_sends_a_run_again(
    session: Session, product: Product, key: str, dead: dict[str, Any]
) -> None:
    words = ("run", "retry", dead["id"])
    done = product.command(*words, "--from-step", "once", "--json", agent="tester")
    assert (done.code, done.facts["run"]["id"]) == (0, dead["id"])
    assert done.facts["says"].startswith(f"{dead['id']} is sent again from 'once'")
    ended(session, dead["id"], 2)
    assert len(product.counted(key)) == 2
    shown = product.command(*words, agent="tester")
    assert shown.out.startswith(f"{dead['id']} is sent again from 'no'")
    ended(session, dead["id"], 3)
    assert product.command("run", "retry", "run_999999999", agent="tester").code == 3
    wrong = product.command(*words, "--from-step", "never", agent="tester")
    assert (wrong.code, wrong.out) == (1, "")
    assert "Allowed: once, no" in wrong.err


class Gated:
    """A product whose one tool must not be repeated, and answers only while the gate is open."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.gate = product.folder / "gate"
        self._calls = product.folder / "gated.jsonl"

    def start(self) -> None:
        where = {"GATE": str(self.gate), "CALLS": str(self._calls)}
        self.product.tools({"gate": entry(Path(HERE) / "gate.py", env=where)})
        assert self.product.command("up").code == 0

    def calls(self) -> list[dict[str, Any]]:
        text = self._calls.read_text("utf-8") if self._calls.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def parked(self, session: Session, key: str) -> dict[str, Any]:
        """A run that waits, as a call that was sent was never answered."""
        self.gate.unlink(missing_ok=True)
        self._calls.unlink(missing_ok=True)
        by = {"by": "attempt ${run.attempt}"}
        step = {"id": "w", "uses": "gate.write", "with": by, "timeout_seconds": 1}
        session.call("schedule_task", **task(key=key, pipeline=[step]))
        run = session.call("run_now", task=key, wait_seconds=20)["run"]
        assert (run["state"], run["error"]["code"]) == ("waiting", "outcome_unknown")
        assert len(self.calls()) == 1
        return run


@pytest.fixture(scope="module")
def gated() -> Generator[Gated, None, None]:
    with installed() as made:
        found = Gated(made)
        found.start()
        yield found


def test_a_waiting_run_repeats_its_call_with_the_same_key_and_input(gated: Gated, key: str) -> None:
    with gated.product.session() as session:
        run = gated.parked(session, key)
        gated.gate.touch()
        answer = session.call("retry_run", run=run["id"])
        assert answer["says"] == (
            f"{run['id']} goes on: 'w' is called again with the same key and input."
        )
        done = ended(session, run["id"], 2)
    assert (done["state"], done["output"]) == ("succeeded", {"by": "attempt 1"})
    first, second = gated.calls()
    assert first == second


def test_a_waiting_run_may_begin_a_step_anew_under_a_new_key(gated: Gated, key: str) -> None:
    with gated.product.session() as session:
        run = gated.parked(session, key)
        gated.gate.touch()
        answer = session.call("retry_run", run=run["id"], from_step="w")
        assert answer["says"].endswith("The earlier call of 'w' may have had its effect.")
        done = ended(session, run["id"], 2)
    assert (done["state"], done["output"]) == ("succeeded", {"by": "attempt 2"})
    first, second = gated.calls()
    assert first["key"] != second["key"]


def test_a_call_that_is_not_answered_again_waits_again(gated: Gated, key: str) -> None:
    with gated.product.session() as session:
        run = gated.parked(session, key)
        session.call("retry_run", run=run["id"])

        def waits_again() -> bool:
            found = session.call("get_run", run=run["id"])["run"]
            return found["state"] == "waiting" and found["attempt"] >= 2

        eventually(waits_again, within=30, what="the repeated call is given up, too")
        session.call("cancel_run", run=run["id"])
    assert len({call["key"] for call in gated.calls()}) == 1
