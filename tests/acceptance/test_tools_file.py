"""The tools file: a mistake names its line, the other servers work, and it is read again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually

MISTAKEN = """{
  "mcpServers": {
    "good": %s,
    "two words": {"command": "true"},
    "shell": {"command": "sh -c true"},
    "broken": {"command": "/nowhere/server"}
  }
}
"""


@pytest.fixture(scope="module")
def edited() -> Generator[Product, None, None]:
    """A product of its own, whose tools file is changed while it runs."""
    with installed() as made:
        made.tools({"echo": made.echo()})
        started = made.command("up")
        assert started.code == 0, started.err
        yield made


@pytest.fixture(scope="module")
def session(edited: Product) -> Generator[Session, None, None]:
    with edited.session() as opened:
        yield opened


def say(server: str) -> dict[str, Any]:
    return task(pipeline=[{"id": "a", "uses": f"{server}.say", "with": {"text": "hi"}}])


def states(session: Session) -> dict[str, str]:
    return {one["server"]: one["state"] for one in session.call("get_status")["tool_servers"]}


def test_a_server_that_is_added_while_it_runs_becomes_usable(
    edited: Product, session: Session, key: str
) -> None:
    assert session.refused("schedule_task", **say("later"))["code"] == "unknown_tool"
    edited.tools({"echo": edited.echo(), "later": edited.echo()})
    eventually(lambda: states(session).get("later") == "ready", within=30, what="it is ready")
    stored = session.call("schedule_task", **{**say("later"), "key": key})
    run = session.call("run_now", task=stored["task"]["id"], wait_seconds=20)["run"]
    assert (run["state"], run["output"]) == ("succeeded", {"text": "hi"})


def test_a_mistake_names_its_line_and_the_other_servers_work(
    edited: Product, session: Session
) -> None:
    import json

    text = MISTAKEN % json.dumps(edited.echo())
    (edited.home / "tools.json").write_text(text, encoding="utf-8")
    listed = edited.command("tools", "list", "--json")
    assert listed.code == 1
    assert listed.facts["servers"] == ["good", "broken"]
    problems = {one["server"]: one["line"] for one in listed.facts["problems"]}
    assert problems == {"two words": 4, "shell": 5}
    shown = edited.command("tools", "list")
    assert "line 4" in shown.out
    assert "line 5" in shown.out

    eventually(lambda: states(session).get("good") == "ready", within=30, what="it is ready")
    assert session.call("schedule_task", **say("good"))["created"] is True
    eventually(lambda: states(session).get("broken") == "failed", within=30, what="it failed")
    error = session.refused("schedule_task", **say("broken"))
    assert (error["code"], error["field"]) == ("tool_unavailable", "pipeline[0].uses")
    assert "tools test broken" in error["hint"]

    doctor = edited.command("doctor", "--json")
    assert doctor.code == 1
    verdicts = {(one["subject"], one["verdict"]) for one in doctor.facts}
    assert ("tools file", "fail") in verdicts
    assert ("tool server good", "ok") in verdicts
    assert ("tool server broken", "fail") in verdicts


def test_a_file_that_is_no_json_names_the_line(edited: Product, session: Session) -> None:
    (edited.home / "tools.json").write_text('{\n  "mcpServers": {\n    oops\n', encoding="utf-8")
    listed = edited.command("tools", "list", "--json")
    assert listed.code == 1
    assert [one["line"] for one in listed.facts["problems"]] == [3]
    # The servers that were there before are not torn down by a file that cannot be read.
    assert session.call("get_status")["healthy"] is True


def test_a_server_is_tried_out_alone(edited: Product) -> None:
    edited.tools({"echo": edited.echo(), "broken": {"command": "/nowhere/server"}})
    tried = edited.command("tools", "test", "echo", "--json")
    assert tried.code == 0
    assert tried.facts["state"] == "ready"
    assert tried.facts["error"] is None
    assert "echo.say" in tried.facts["tools"]
    broken = edited.command("tools", "test", "broken")
    assert broken.code == 4
    assert "/nowhere/server" in broken.err
    missing = edited.command("tools", "test", "nobody", "--json")
    assert missing.code == 3
    assert missing.facts["error"]["code"] == "not_found"


def test_a_relative_tools_file_means_the_folder_of_whoever_names_it(edited: Product) -> None:
    edited.tools({"echo": edited.echo()})
    with installed() as other:
        (other.folder / "mine.json").write_text(
            (edited.home / "tools.json").read_text("utf-8"), encoding="utf-8"
        )
        assert other.command("tools", "list", tools_file="mine.json").out == "echo\n"
        assert other.command("up", tools_file="mine.json").code == 0
        with other.session() as session:
            eventually(lambda: states(session) == {"echo": "ready"}, within=20, what="it is ready")
