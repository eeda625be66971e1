"""get_status and list_pipeline_tools: how it is, and what steps may use."""

from __future__ import annotations

import os

import pytest

from ordinaut_mcp import __version__
from ordinaut_mcp.domain.builtin import NOT_YET
from tests.acceptance.product import Product
from tests.acceptance.session import Session
from tests.acceptance.tasks import task


def test_the_status_says_who_when_and_how(session: Session, product: Product) -> None:
    status = session.call("get_status")
    assert status["agent"] == "tester"
    assert status["timezone"] == "Europe/Chisinau"
    assert status["now"]["local"].endswith(("+02:00", "+03:00"))
    assert status["now"]["utc"].endswith("Z")
    assert status["healthy"] is True
    assert status["version"] == __version__
    assert status["tzdata"] == "2026f"
    [process] = status["processes"]
    assert process["pid"] == product.status()["pid"] != os.getpid()
    assert set(process["roles"]) == {"scheduler", "worker", "reaper", "janitor", "relay"}
    assert set(status["queue"]) == {
        "queued",
        "running",
        "retrying",
        "waiting",
        "oldest_overdue_seconds",
    }
    assert "you are 'tester'" in session.text("get_status")


def test_the_catalog_holds_the_servers_tools_and_the_built_in_ones(session: Session) -> None:
    found = session.call("list_pipeline_tools")
    uses = {tool["uses"]: tool for tool in found["tools"]}
    assert {
        "echo.say",
        "time.get_current_time",
        "value.set",
        "value.check",
        "llm.plan",
    } <= set(uses)
    assert {one["server"] for one in found["servers"]} == {"echo", "evil", "time"}
    say = uses["echo.say"]
    assert say["arguments"] == ["text*"]
    assert say["state"] == "ready"
    assert say["read_only"] is True
    assert say["input_schema"] is None


def test_the_catalog_is_searched_by_words_and_server(session: Session) -> None:
    only_time = session.call("list_pipeline_tools", server="time")["tools"]
    assert {tool["uses"] for tool in only_time} == {"time.get_current_time", "time.convert_time"}
    sums = session.call("list_pipeline_tools", query="SUM two")["tools"]
    assert [tool["uses"] for tool in sums] == ["echo.add"]
    assert session.call("list_pipeline_tools", query="no such words")["tools"] == []


def test_the_catalog_gives_schemas_when_asked(session: Session) -> None:
    [add] = session.call("list_pipeline_tools", query="sum of two", detail=True)["tools"]
    assert add["input_schema"]["required"] == ["a", "b"]
    assert add["output_schema"]["properties"] == {"sum": {"type": "number"}}


@pytest.mark.parametrize(
    ("uses", "code", "near"),
    [
        ("echo.sai", "unknown_tool", "echo.say"),
        ("ecko.say", "unknown_tool", "echo"),
        ("nothing.here", "unknown_tool", "list_pipeline_tools"),
    ],
)
def test_an_unknown_tool_names_the_step_and_what_is_near(
    session: Session, uses: str, code: str, near: str
) -> None:
    steps = [{"id": "a", "uses": "echo.say", "with": {"text": "x"}}, {"id": "b", "uses": uses}]
    error = session.refused("schedule_task", **task(pipeline=steps))
    assert (error["code"], error["field"]) == (code, "pipeline[1].uses")
    assert near in f"{error['hint']} {error.get('allowed')}"


@pytest.mark.parametrize("uses", sorted(NOT_YET))
def test_a_built_in_that_is_not_built_yet_is_refused(session: Session, uses: str) -> None:
    error = session.refused("schedule_task", **task(pipeline=[{"id": "a", "uses": uses}]))
    assert (error["code"], error["field"]) == ("not_available", "pipeline[0].uses")


def test_wrong_arguments_of_a_step_are_found_before_it_is_stored(
    session: Session, key: str
) -> None:
    wrong = [{"id": "a", "uses": "echo.add", "with": {"a": "1", "b": 2}}]
    error = session.refused("schedule_task", **task(key=key, pipeline=wrong))
    assert (error["code"], error["field"]) == ("schema_mismatch", "pipeline[0].with.a")
    missing = [{"id": "a", "uses": "echo.add", "with": {"a": 1}}]
    error = session.refused("schedule_task", **task(key=key, pipeline=missing))
    assert error["field"].startswith("pipeline[0].with")
    assert session.refused("get_task", task=key)["code"] == "not_found"


def test_numbers_reach_a_tool_as_numbers(session: Session, key: str) -> None:
    step = {"id": "s", "uses": "echo.add", "with": {"a": "${params.x}", "b": "${params.y}"}}
    request = task(key=key, pipeline=[step], params={"x": 10, "y": 5})
    session.call("schedule_task", **request)
    run = session.call("run_now", task=key, wait_seconds=20)["run"]
    assert run["steps"][0]["input"] == {"a": 10, "b": 5}
    assert run["output"] == {"sum": 15}
