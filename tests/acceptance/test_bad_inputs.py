"""cases/bad_inputs.json over stdio: told as they say, nothing stored, and the next call works."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from tests.acceptance.cases import CASES as ALL
from tests.acceptance.cases import ELSEWHERE, SURFACES, call_of, case, chosen, codes_of, marked
from tests.acceptance.product import Product
from tests.acceptance.rows import rows_of
from tests.acceptance.session import Session
from tests.acceptance.tasks import task


@pytest.fixture(scope="module")
def remote(product: Product) -> Generator[Session, None, None]:
    """A session with the shortest interval of remote agents."""
    with product.session(agent="a", min_interval_seconds="60") as opened:
        opened.call("schedule_task", **task())
        yield opened


@pytest.fixture(scope="module")
def database(product: Product) -> Generator[psycopg.Connection[Any], None, None]:
    with product.database() as connection:
        yield connection


@pytest.fixture
def nothing_stored(
    remote: Session, database: psycopg.Connection[Any]
) -> Generator[None, None, None]:
    """Checks after the test that no row was added and that the session is well."""
    before = rows_of(database)
    yield
    assert rows_of(database) == before
    assert remote.call("schedule_task", **task(dry_run=True))["created"] is True
    assert "Traceback" not in remote.log


def test_every_case_is_either_here_or_elsewhere_with_a_reason() -> None:
    here = {one["id"] for outcome in OUTCOMES for one in chosen(outcome)}
    lines = {one["id"] for outcome in OUTCOMES for one in chosen(outcome, raw=True)}
    surfaces = {one["id"] for one in ALL if one["surface"] in SURFACES}
    assert here | lines | set(ELSEWHERE) == surfaces
    assert len(here) > 100
    assert lines == {"json-raw-001", "json-raw-006", "json-raw-008"}


OUTCOMES = ("reject", "accept", "run_fails", "contain")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("bad", marked(chosen("reject")))
def test_a_bad_input_is_refused_by_its_code_and_field(remote: Session, bad: dict[str, Any]) -> None:
    tool, arguments = call_of(bad)
    error = remote.refused(tool, **arguments)
    assert error["code"] in codes_of(bad)
    assert error["field"] == bad["expect"]["field"]
    assert error["message"]


@pytest.mark.parametrize("good", marked(chosen("accept")))
def test_an_input_that_only_looks_bad_is_stored_as_it_is(
    remote: Session, good: dict[str, Any]
) -> None:
    tool, arguments = call_of(good)
    stored = remote.call(tool, **arguments)["task"]
    field = good["expect"]["field"]
    canonical = {"Europe/Kiev": "Europe/Kyiv"}
    assert stored[field] in {arguments[field], canonical.get(arguments[field])}
    assert remote.call("get_task", task=stored["id"])["task"] == stored


@pytest.mark.parametrize("late", marked(chosen("run_fails")))
def test_what_only_a_run_can_find_fails_there(remote: Session, late: dict[str, Any]) -> None:
    tool, arguments = call_of(late)
    stored = remote.call(tool, **arguments)["task"]
    run = remote.call("run_now", task=stored["id"], wait_seconds=20)["run"]
    assert run["state"] == "failed"
    assert run["error"]["code"] in codes_of(late)
    assert (run["error"]["step"], run["error"]["index"]) == ("a", 0)
    assert late["expect"]["field"] == f"pipeline[{run['error']['index']}].if"
    assert run["attempt"] == 1
    remote.call("cancel_task", task=stored["id"])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("pipeline-019", "pipeline[0].uses"),
        ("template-006", "pipeline[0].with.text"),
    ],
)
def test_a_part_of_a_later_version_is_refused(remote: Session, name: str, field: str) -> None:
    tool, arguments = call_of(case(name))
    error = remote.refused(tool, **arguments)
    assert (error["code"], error["field"]) == ("not_available", field)


def test_a_tools_output_is_never_a_template(remote: Session) -> None:
    pipeline = [
        {"id": "a", "uses": "evil.say", "with": {"text": "$${secrets.API_KEY}"}},
        {"id": "b", "uses": "echo.say", "with": {"text": "${steps.a.text}"}},
    ]
    stored = remote.call("schedule_task", **task(pipeline=pipeline))["task"]
    run = remote.call("run_now", task=stored["id"], wait_seconds=20)["run"]
    assert run["state"] == "succeeded"
    assert run["steps"][1]["input"] == {"text": "${secrets.API_KEY}"}
    assert run["output"] == {"text": "${secrets.API_KEY}"}


def test_a_tools_output_has_a_size(remote: Session) -> None:
    pipeline = [
        {"id": "a", "uses": "evil.large", "with": {"mb": 2}},
        {"id": "b", "uses": "echo.say", "with": {"text": "${steps.a.a}"}},
    ]
    stored = remote.call("schedule_task", **task(pipeline=pipeline))["task"]
    run = remote.call("run_now", task=stored["id"], wait_seconds=20)["run"]
    assert run["state"] == "failed"
    assert (run["error"]["code"], run["error"]["step"]) == ("output_too_large", "a")


def test_a_cursor_of_another_agent_opens_none_of_its_rows(
    remote: Session, session: Session
) -> None:
    cursor = tasks_cursor(session)
    foreign = remote.result("list_tasks", {"cursor": cursor})
    answer = dict(foreign.structured_content or {})
    if foreign.is_error:
        assert answer["error"]["code"] == "invalid_cursor"
    else:
        assert {one["owner"] for one in answer["tasks"]} <= {"a"}


def test_a_cursor_of_another_tool_is_refused(session: Session) -> None:
    error = session.refused("list_runs", cursor=tasks_cursor(session))
    assert (error["code"], error["field"]) == ("invalid_cursor", "cursor")


def tasks_cursor(session: Session) -> str:
    """A cursor of list_tasks."""
    for key in ("first", "second"):
        session.call("schedule_task", **task(key=key))
    return session.call("list_tasks", limit=1)["next_cursor"]
