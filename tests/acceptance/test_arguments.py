"""Arguments are taken as they come: nothing unknown is dropped, nothing wrong is bent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.session import Session
from tests.acceptance.tasks import task


@pytest.mark.parametrize(
    ("tool", "arguments", "near"),
    [
        ("schedule_task", task(schedule_exp="in 20m"), "schedule_expr"),
        ("schedule_task", task(titel="x"), "title"),
        ("update_task", {"task": "t", "timezon": "UTC"}, "timezone"),
        ("list_tasks", {"statuss": "active"}, "status"),
        ("run_now", {"task": "t", "wait_second": 5}, "wait_seconds"),
        ("list_runs", {"limits": 5}, "limit"),
        ("get_run", {"run": "run_1", "details": "full"}, "detail"),
        ("preview_schedule", {"schedule_expr": "1h", "cout": 2}, "count"),
        ("list_pipeline_tools", {"servers": "echo"}, "server"),
        ("get_task", {"tsk": "t"}, "task"),
    ],
)
def test_an_unknown_argument_is_an_error_with_the_nearest_name(
    session: Session, tool: str, arguments: dict[str, Any], near: str
) -> None:
    [unknown] = set(arguments) - known(session, tool)
    error = session.refused(tool, **arguments)
    assert (error["code"], error["field"]) == ("unknown_field", unknown)
    assert near in error["hint"]
    assert near in error["allowed"]


def test_an_unknown_argument_that_resembles_nothing_is_an_error_too(session: Session) -> None:
    error = session.refused("get_status", verbose=True)
    assert (error["code"], error["field"]) == ("unknown_field", "verbose")


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("schedule_task", task(priority="5"), "priority"),
        ("schedule_task", task(priority=True), "priority"),
        ("schedule_task", task(priority=5.5), "priority"),
        ("schedule_task", task(dry_run="true"), "dry_run"),
        ("schedule_task", task(dry_run=1), "dry_run"),
        ("schedule_task", task(title=12), "title"),
        ("schedule_task", task(tags="a"), "tags"),
        ("schedule_task", task(tags=["a", 5]), "tags[1]"),
        ("schedule_task", task(params=[1]), "params"),
        ("schedule_task", task(pipeline={"id": "a"}), "pipeline"),
        ("schedule_task", task(pipeline='"text"'), "pipeline"),
        ("schedule_task", task(jitter_seconds="5"), "jitter_seconds"),
        ("schedule_task", task(timeout_seconds=True), "timeout_seconds"),
        ("schedule_task", task(backoff=5), "backoff"),
        ("list_runs", {"limit": "12"}, "limit"),
        ("list_runs", {"limit": True}, "limit"),
        ("run_now", {"task": "t", "wait_seconds": "5"}, "wait_seconds"),
        ("get_task", {"task": 12}, "task"),
        ("list_pipeline_tools", {"detail": "full"}, "detail"),
    ],
)
def test_a_wrong_type_is_an_error_and_never_bent(
    session: Session, tool: str, arguments: dict[str, Any], field: str
) -> None:
    error = session.refused(tool, **arguments)
    assert (error["code"], error["field"]) == ("wrong_type", field)
    assert error["allowed"]


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "field"),
    [
        ("schedule_task", task(priority=10), "out_of_range", "priority"),
        ("schedule_task", task(priority=0), "out_of_range", "priority"),
        ("schedule_task", task(max_runs=0), "out_of_range", "max_runs"),
        ("schedule_task", task(misfire="never"), "not_allowed", "misfire"),
        ("schedule_task", task(overlap="skipp"), "not_allowed", "overlap"),
        ("schedule_task", task(key=""), "too_short", "key"),
        ("schedule_task", task(tags=["x" * 51]), "too_long", "tags[0]"),
        ("schedule_task", {"schedule_expr": "1h"}, "missing", "title"),
        ("run_now", {"task": "t", "wait_seconds": 46}, "out_of_range", "wait_seconds"),
        ("list_tasks", {"limit": 201}, "out_of_range", "limit"),
        ("list_runs", {"state": "done"}, "not_allowed", "state"),
        ("preview_schedule", {"schedule_expr": "1h", "count": 51}, "out_of_range", "count"),
        ("get_run", {"run": "run_1", "detail": "all"}, "not_allowed", "detail"),
    ],
)
def test_a_value_that_is_not_allowed_says_what_is(
    session: Session, tool: str, arguments: dict[str, Any], code: str, field: str
) -> None:
    error = session.refused(tool, **arguments)
    assert (error["code"], error["field"]) == (code, field)
    assert error.get("allowed") or error.get("hint")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("message", "hello"),
        ("agent", "other"),
    ],
)
@pytest.mark.parametrize("tool", ["schedule_task", "update_task"])
def test_an_argument_that_is_not_built_yet_is_refused_and_never_ignored(
    session: Session, key: str, tool: str, argument: str, value: Any
) -> None:
    if tool == "update_task":
        stored = session.call("schedule_task", **task(key=key))["task"]
        error = session.refused(tool, task=key, **{argument: value})
        assert session.call("get_task", task=key)["task"] == stored
    else:
        error = session.refused(tool, **task(key=key), **{argument: value})
        assert session.refused("get_task", task=key)["code"] == "not_found"
    assert (error["code"], error["field"]) == ("not_available", argument)
    assert error.get("hint") or error.get("allowed")


@pytest.mark.parametrize("kind", ["event", "condition"])
def test_a_kind_that_is_not_built_yet_is_refused(session: Session, kind: str) -> None:
    error = session.refused(
        "schedule_task", **task(schedule_kind=kind, schedule_expr="email.received.*")
    )
    assert (error["code"], error["field"]) == ("not_available", "schedule_kind")


def test_an_unknown_tool_is_an_error_with_the_nearest_name(session: Session) -> None:
    error = session.refused("shedule_task")
    assert error["code"] == "unknown_tool"
    assert "schedule_task" in error["hint"]
    assert "get_status" in error["allowed"]


def test_the_text_of_an_error_stands_alone(session: Session) -> None:
    text = session.text("schedule_task", **task(priority=10))
    error = session.refused("schedule_task", **task(priority=10))
    assert "schedule_task: 'priority' must be from 1 to 9." in text
    assert "(out_of_range, req_" in text
    assert error["request_id"].startswith("req_")
    assert "pydantic" not in text


def test_every_tool_sets_all_four_hints_and_describes_every_argument(session: Session) -> None:
    for tool in session.tools():
        assert tool.annotations is not None
        hints = tool.annotations.model_dump(by_alias=True)
        named = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
        assert all(isinstance(hints[hint], bool) for hint in named), tool.name
        assert tool.input_schema["additionalProperties"] is False, tool.name
        assert tool.title, tool.name
        assert tool.description, tool.name
        assert "\n    " not in tool.description, tool.name


def test_every_promised_tool_is_listed(session: Session) -> None:
    promised = {
        "schedule_task",
        "preview_schedule",
        "list_tasks",
        "get_task",
        "update_task",
        "pause_task",
        "resume_task",
        "cancel_task",
        "run_now",
        "list_runs",
        "get_run",
        "get_status",
        "list_pipeline_tools",
    }
    assert promised <= {tool.name for tool in session.tools()}


def known(session: Session, tool: str) -> set[str]:
    """The names of a tool's arguments."""
    [schema] = [one.input_schema for one in session.tools() if one.name == tool]
    return set(schema["properties"])
