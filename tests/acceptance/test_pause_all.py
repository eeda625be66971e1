"""pause_all, `pause`, `resume`: nothing starts, whatever is started anew, until it goes on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually


@pytest.fixture(scope="module")
def home() -> Generator[Product, None, None]:
    """A product of its own: a pause is everybody's."""
    with installed(timezone="Europe/Chisinau") as made:
        assert made.command("up").code == 0
        yield made


@pytest.fixture(scope="module")
def ann(home: Product) -> Generator[Session, None, None]:
    with home.session(agent="ann") as opened:
        yield opened


@pytest.fixture(autouse=True)
def going_on(ann: Session) -> Generator[None, None, None]:
    """Whatever a test leaves, the next one begins unpaused."""
    yield
    ann.call("pause_all", paused=False)


def has_passed(session: Session, instant: dict[str, Any]) -> bool:
    return session.call("get_status")["now"]["utc"] > instant["utc"]


def test_a_pause_is_told_first_with_who_when_and_why(ann: Session) -> None:
    before = ann.call("get_status")
    assert before["paused"] is None
    assert "PAUSED" not in ann.text("get_status")

    answer = ann.call("pause_all", paused=True, note="Moving house")
    assert answer["says"] == "Everything is paused from now on."
    assert (answer["paused"]["by"], answer["paused"]["note"]) == ("ann", "Moving house")
    assert answer["paused"]["since"]["utc"] >= before["now"]["utc"]
    assert answer["healthy"] is True

    first, second, *_ = ann.text("get_status").splitlines()
    assert first == f"PAUSED since {answer['paused']['since']['local']} by 'ann': Moving house"
    assert second == "Nothing starts until pause_all is called with paused=false."


def test_pausing_and_resuming_again_change_nothing(ann: Session, home: Product) -> None:
    first = ann.call("pause_all", paused=True, note="Fire")["paused"]
    with home.session(agent="bob") as bob:
        again = bob.call("pause_all", paused=True)
        assert again["says"] == "Everything was paused already."
        assert again["paused"] == first
        resumed = bob.call("pause_all", paused=False)
        assert (resumed["says"], resumed["paused"]) == ("Everything goes on from now on.", None)
        again = bob.call("pause_all", paused=False)
        assert again["says"] == "Nothing changed: nothing was paused."


def test_what_comes_due_while_paused_starts_late_and_over_restarts_nothing_does(
    ann: Session, home: Product, key: str
) -> None:
    ann.call("pause_all", paused=True)
    saved = ann.call("schedule_task", **task(key=key, schedule_expr="in 2 seconds"))
    by_hand = ann.call("run_now", task=key)["run"]
    assert home.command("down").code == 0
    assert home.command("up").code == 0
    eventually(lambda: has_passed(ann, saved["next"][0]), within=30, what="its time passes")

    # Long enough for a scheduler and a worker that have just started to look.
    assert ann.call("get_status")["healthy"] is True
    assert ann.call("run_now", task=key, wait_seconds=2)["run"]["state"] == "queued"
    runs = ann.call("list_runs", task=key)["runs"]
    assert {(run["kind"], run["state"]) for run in runs} == {("manual", "queued")}
    assert by_hand["id"] in {run["id"] for run in runs}

    ann.call("pause_all", paused=False)

    def all_done() -> bool:
        runs = ann.call("list_runs", task=key)["runs"]
        return [run["state"] for run in runs] == ["succeeded"] * 3

    eventually(all_done, within=30, what="what was due runs late")
    [slot] = [run for run in ann.call("list_runs", task=key)["runs"] if run["kind"] == "schedule"]
    assert slot["due_at"] == saved["next"][0]["local"]


def test_a_slot_of_a_pause_is_judged_by_its_misfire_policy(ann: Session, key: str) -> None:
    ann.call("pause_all", paused=True)
    soon = task(key=key, schedule_expr="in 1 second", misfire="skip")
    saved = ann.call("schedule_task", **soon)
    eventually(lambda: has_passed(ann, saved["next"][0]), within=30, what="its time passes")
    # A slot that is taken within a second is on time.
    run = ann.call("run_now", task=key, wait_seconds=2)["run"]
    assert run["state"] == "queued"

    ann.call("pause_all", paused=False)

    def skipped() -> list[Any]:
        return ann.call("list_runs", task=key, state="skipped")["runs"]

    [row] = eventually(skipped, within=30, what="the slot leaves a row")
    assert row["reason"] == "late"


def test_the_command_line_pauses_and_resumes_what_the_tools_do(ann: Session, home: Product) -> None:
    paused = home.command("pause", "--note", "Holiday", "--json", agent="carol")
    assert paused.code == 0
    assert ann.call("get_status")["paused"] == paused.facts["paused"]
    assert (paused.facts["paused"]["by"], paused.facts["paused"]["note"]) == ("carol", "Holiday")
    shown = home.status()["paused"]
    assert shown["since"] == paused.facts["paused"]["since"]["local"]
    assert (shown["by"], shown["note"]) == ("carol", "Holiday")
    since = f"PAUSED since {shown['since']} by 'carol': Holiday"
    assert home.command("status").out.splitlines()[0] == since

    resumed = home.command("resume", agent="carol")
    assert resumed.out.startswith("Everything goes on from now on.\nHealthy.")
    assert home.status()["paused"] is None


def test_a_note_of_two_lines_is_refused_and_nothing_is_paused(ann: Session) -> None:
    error = ann.refused("pause_all", paused=True, note="a\nb")
    assert (error["code"], error["field"]) == ("invalid_text", "note")
    error = ann.refused("pause_all", paused="yes")
    assert (error["code"], error["field"]) == ("wrong_type", "paused")
    assert ann.refused("pause_all")["code"] == "missing"
    assert ann.call("get_status")["paused"] is None
