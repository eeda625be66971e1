"""Calls that run beside a bad one: on another server nothing happens to them, whatever it does.

On the same server only what ends the connection reaches them, and then they say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ServerState, ToolOutcome
from tests.integration.bridge.running import Heart, ask, fault_of, running, value_of
from tests.servers import EVIL, entry

pytestmark = pytest.mark.anyio

LONGEST_GAP = 1.0
"""Seconds: a bound on harm, no figure of performance."""


class Neighbours:
    """A call of `stay` on each server, begun before the bad one, ended after it."""

    def __init__(self, folder: Path, bridge: Bridge, ended: dict[str, ToolOutcome]) -> None:
        self._gate = folder / "gate"
        self._bridge = bridge
        self._ended = ended

    async def stay(self, server: str) -> None:
        self._ended[server] = await ask(self._bridge, f"{server}.stay", within=20, at=server)

    def let_go(self) -> None:
        self._gate.touch()


async def beside(
    folder: Path, uses: str, *, within: float = 10, **arguments: Any
) -> tuple[Fault, dict[str, ToolOutcome]]:
    """The fault of a bad call, and what became of the calls beside it on both servers."""
    heart, faults, ended = Heart(), list[Fault](), dict[str, ToolOutcome]()
    server = entry(EVIL, "", env={"GATE": str(folder / "gate")})
    async with running(folder, {"evil": server, "calm": server}) as bridge:
        neighbours = Neighbours(folder, bridge, ended)
        async with anyio.create_task_group() as beating:
            beating.start_soon(heart.beat)
            async with anyio.create_task_group() as calls:
                calls.start_soon(neighbours.stay, "evil")
                calls.start_soon(neighbours.stay, "calm")
                await anyio.wait_all_tasks_blocked()
                faults.append(await fault_of(bridge, uses, within=within, **arguments))
                neighbours.let_go()
            assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}
            beating.cancel_scope.cancel()
        assert bridge.statuses()[1].state is ServerState.READY
    assert heart.longest < LONGEST_GAP
    return faults[0], ended


@pytest.mark.parametrize(
    ("tool", "within", "arguments", "kind"),
    [
        ("never", 0.2, {}, FaultKind.TIMEOUT),
        ("late", 0.2, {"seconds": 0.5}, FaultKind.TIMEOUT),
        ("large", 10, {"mb": 7}, FaultKind.OUTPUT_TOO_LARGE),
        ("large_id_last", 10, {}, FaultKind.OUTPUT_TOO_LARGE),
        ("nan", 10, {}, FaultKind.UNSTORABLE_OUTPUT),
        ("regex", 10, {}, FaultKind.BAD_OUTPUT),
        ("not_a_result", 10, {}, FaultKind.BAD_OUTPUT),
        ("own_error", 10, {"code": -32603, "message": "no"}, FaultKind.TOOL_ERROR),
    ],
)
async def test_a_bad_answer_harms_no_call_beside_it(
    tmp_path: Path, tool: str, within: float, arguments: dict[str, Any], kind: FaultKind
) -> None:
    fault, ended = await beside(tmp_path, f"evil.{tool}", within=within, **arguments)
    assert fault.kind is kind
    assert ended == {"evil": Returned({"at": "evil"}), "calm": Returned({"at": "calm"})}


async def test_junk_harms_no_call_beside_it(tmp_path: Path) -> None:
    server = entry(EVIL, "", env={"GATE": str(tmp_path / "gate")})
    async with running(tmp_path, {"evil": server}) as bridge:
        ended: dict[str, ToolOutcome] = {}
        neighbours = Neighbours(tmp_path, bridge, ended)
        async with anyio.create_task_group() as calls:
            calls.start_soon(neighbours.stay, "evil")
            await anyio.wait_all_tasks_blocked()
            assert await value_of(bridge, "evil.junk") == {"text": "still here"}
            neighbours.let_go()
        assert ended == {"evil": Returned({"at": "evil"})}


@pytest.mark.parametrize(
    ("tool", "arguments", "kind", "said"),
    [
        ("flood", {"mb": 300}, FaultKind.CONNECTION_LOST, "message_too_large: more than 16"),
        ("flood", {"mb": 300, "named": True}, FaultKind.OUTPUT_TOO_LARGE, "message_too_large"),
        ("large", {"mb": 100}, FaultKind.OUTPUT_TOO_LARGE, "message_too_large: more than 16"),
        ("die", {}, FaultKind.CONNECTION_LOST, "it ended with exit code 7"),
        ("junk_for_ever", {}, FaultKind.CONNECTION_LOST, "more than 10000 lines on its stdout"),
        ("close_stdout", {}, FaultKind.CONNECTION_LOST, "it closed the connection"),
    ],
)
async def test_what_ends_the_connection_is_told_to_the_calls_on_it_and_no_others(
    tmp_path: Path, tool: str, arguments: dict[str, Any], kind: FaultKind, said: str
) -> None:
    fault, ended = await beside(tmp_path, f"evil.{tool}", **arguments)
    assert (fault.kind, fault.sent) == (kind, True)
    assert said in fault.message
    lost = ended.pop("evil")
    assert isinstance(lost, Fault)
    assert (lost.kind, lost.sent) == (FaultKind.CONNECTION_LOST, True)
    assert ended == {"calm": Returned({"at": "calm"})}


async def test_alone_on_its_connection_a_flood_is_known_to_be_its_own(tmp_path: Path) -> None:
    async with running(tmp_path, {"evil": entry(EVIL)}) as bridge:
        fault = await fault_of(bridge, "evil.flood", mb=300)
        assert (fault.kind, fault.sent) == (FaultKind.MESSAGE_TOO_LARGE, True)
        assert fault.message.startswith(
            "the connection was lost during the call: message_too_large: more than 16"
        )
        assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}
