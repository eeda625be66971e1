"""What a tool asks in the middle of a call: answered by who knows, else its step fails clearly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge.question import Asks, Question
from ordinaut_mcp.domain.tool import FaultKind, Returned, ToolOutcome
from tests.integration.bridge.running import ask, eventually, fault_of, running, value_of
from tests.servers import ECHO, EVIL, entry

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("era", ["both", "legacy"])


def evil(folder: Path, era: str) -> dict[str, Any]:
    return {"evil": entry(EVIL, "", env={"ERA": era, "GATE": str(folder / "gate")})}


@ERAS
@pytest.mark.parametrize(
    ("method", "said", "hint"),
    [
        ("elicitation/create", 'evil.ask asks a person: "May I?" (ok)', "in `with`"),
        ("url", 'evil.ask asks a person to open a page at login.example: "Log in"', "in `with`"),
        ("sampling/createMessage", "evil.ask asks for a text of a language model", "llm.complete"),
        ("roots/list", "evil.ask asks which folders it may use (roots)", "args of the server's"),
    ],
)
async def test_a_tool_that_asks_fails_its_step_at_once_and_says_what_it_asked(
    tmp_path: Path, era: str, method: str, said: str, hint: str
) -> None:
    async with running(tmp_path, evil(tmp_path, era)) as bridge:
        fault = await fault_of(bridge, "evil.ask", method=method)
        assert (fault.kind, fault.sent) == (FaultKind.INPUT_REQUIRED, True)
        assert fault.message.startswith(said)
        assert hint in str(fault.hint)
        assert "secret" not in fault.message
        assert await value_of(bridge, "evil.say", k="v") == {"k": "v"}


@ERAS
async def test_who_knows_the_answer_gives_it_and_the_call_goes_on(tmp_path: Path, era: str) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> Mapping[str, Any]:
        asked.append(question)
        return {"action": "accept", "content": {"ok": True}}

    async with running(tmp_path, evil(tmp_path, era), answer=answer) as bridge:
        value = await value_of(bridge, "evil.ask")

    accepted = {"action": "accept", "content": {"ok": True}}
    assert value["answer"] in (accepted, {"result": accepted})
    assert [(one.server, one.asks, one.uses) for one in asked] == [
        ("evil", Asks.ELICITATION, "evil.ask")
    ]
    assert asked[0].idempotency_key == "key"
    assert asked[0].params["message"] == "May I?"


async def no(question: Question) -> None:
    del question


async def nonsense(question: Question) -> Mapping[str, Any]:
    del question
    return {"action": "dance"}


async def broken(question: Question) -> Mapping[str, Any]:
    raise LookupError(question.says)


@ERAS
@pytest.mark.parametrize("answer", [no, nonsense, broken])
async def test_an_answer_that_is_none_fails_the_step(tmp_path: Path, era: str, answer: Any) -> None:
    async with running(tmp_path, evil(tmp_path, era), answer=answer) as bridge:
        fault = await fault_of(bridge, "evil.ask")
        assert fault.kind is FaultKind.INPUT_REQUIRED
        assert await value_of(bridge, "evil.say", k="v") == {"k": "v"}


@pytest.mark.parametrize(("era", "suffix"), [("both", ""), ("legacy", "; it then failed: I was")])
async def test_a_neighbour_of_a_tool_that_asks_is_not_harmed(
    tmp_path: Path, era: str, suffix: str
) -> None:
    """Of 2025-11-25 it cannot be known which call asked: the one that then fails did."""
    found: list[ToolOutcome] = []

    async with running(tmp_path, evil(tmp_path, era)) as bridge:

        async def neighbour() -> None:
            found.append(await ask(bridge, "evil.stay", who="neighbour"))

        async with anyio.create_task_group() as calls:
            calls.start_soon(neighbour)
            await anyio.wait_all_tasks_blocked()
            fault = await fault_of(bridge, "evil.ask", strict=True)
            assert fault.kind is FaultKind.INPUT_REQUIRED
            assert fault.message.startswith(f'evil.ask asks a person: "May I?" (ok){suffix}')
            (tmp_path / "gate").touch()
    assert found == [Returned({"who": "neighbour"})]


@ERAS
async def test_a_server_that_refuses_a_client_without_a_person_is_told_as_that(
    tmp_path: Path, era: str
) -> None:
    async with running(tmp_path, evil(tmp_path, era)) as bridge:
        fault = await fault_of(bridge, "evil.wants_more")
        assert (fault.kind, fault.sent) == (FaultKind.INPUT_REQUIRED, False)
        assert fault.message == (
            "the tool needs of its client what a scheduled run has not: sampling"
        )
        assert "llm.complete" in str(fault.hint)


@ERAS
async def test_progress_is_kept_while_the_call_is_under_way_and_told_when_it_times_out(
    tmp_path: Path, era: str
) -> None:
    servers = {"echo": entry(ECHO, env={"ERA": era})}
    async with running(tmp_path, servers) as bridge, anyio.create_task_group() as calls:
        calls.start_soon(partial(ask, bridge, "echo.crawl", key="run_1/a"))
        await eventually(lambda: any(one.total == 10 for one in bridge.progress().values()))
        assert bridge.progress()["run_1/a"].says() == "3 of 10: copying letters"
        fault = await fault_of(bridge, "echo.crawl", within=0.4)
        assert fault.message == (
            "no answer within 0.4 s; its last progress: 3 of 10: copying letters"
        )
        calls.cancel_scope.cancel()
