"""A hostile tool server harms its own calls and nothing else, and never holds the event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from ordinaut_mcp.bridge.bridge import Bridge
from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import Heart, Recorder, fault_of, running, value_of
from tests.servers import ECHO, EVIL, entry

pytestmark = pytest.mark.anyio

LONGEST_GAP = 1.0
"""Seconds: a bound on harm, no figure of performance."""


@asynccontextmanager
async def beside_echo(folder: Path, mode: str = "", era: str = "both") -> AsyncGenerator[Bridge]:
    """A hostile server beside `echo`: the loop must go on, and `echo` answer in the end."""
    env = {"ERA": era, "PIDS_FILE": str(folder / "pids")}
    heart = Heart()
    servers = {"evil": entry(EVIL, mode, env=env), "echo": entry(ECHO)}
    async with running(folder, servers) as bridge, anyio.create_task_group() as beating:
        beating.start_soon(heart.beat)
        yield bridge
        assert await value_of(bridge, "echo.say", text="unharmed") == {"text": "unharmed"}
        assert bridge.statuses()[1].state is ServerState.READY
        beating.cancel_scope.cancel()
    assert heart.longest < LONGEST_GAP


@pytest.mark.parametrize("era", ["both", "legacy"])
@pytest.mark.parametrize(
    ("tool", "kind", "said"),
    [
        ("regex", FaultKind.BAD_OUTPUT, "output.a must match the pattern"),
        ("wrong_output", FaultKind.BAD_OUTPUT, "output.n must be number"),
        ("not_a_result", FaultKind.BAD_OUTPUT, "not what MCP allows"),
        ("nul", FaultKind.UNSTORABLE_OUTPUT, "NUL"),
        ("surrogate", FaultKind.UNSTORABLE_OUTPUT, "half of a surrogate pair"),
        ("surrogate_text", FaultKind.UNSTORABLE_OUTPUT, "half of a surrogate pair"),
        ("nan", FaultKind.UNSTORABLE_OUTPUT, "not a finite number"),
        ("long_number", FaultKind.UNSTORABLE_OUTPUT, "not JSON that can be read"),
        ("deep", FaultKind.UNSTORABLE_OUTPUT, "not JSON that can be read"),
        ("many_values", FaultKind.OUTPUT_TOO_LARGE, "too many values"),
        ("large", FaultKind.OUTPUT_TOO_LARGE, "bytes"),
        ("large_id_last", FaultKind.OUTPUT_TOO_LARGE, "bytes"),
    ],
)
async def test_a_bad_answer_is_a_fault_of_its_own_call(
    tmp_path: Path, tool: str, kind: FaultKind, said: str, era: str
) -> None:
    async with beside_echo(tmp_path, era=era) as bridge:
        fault = await fault_of(bridge, f"evil.{tool}")
        assert (fault.kind, fault.sent) == (kind, True)
        assert said in fault.message
        assert await value_of(bridge, "evil.say", k="v") == {"k": "v"}


async def test_an_output_schema_that_cannot_be_checked_is_not_checked(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        assert await value_of(bridge, "evil.self_reference") == {"a": "a" * 40 + "!"}
        assert "the output of self_reference is not checked" in str(bridge.statuses()[0].error)


async def test_a_tool_whose_input_schema_cannot_be_used_is_listed_and_refuses(
    tmp_path: Path,
) -> None:
    async with beside_echo(tmp_path) as bridge:
        assert "evil.remote_reference" in bridge.specs()
        fault = await fault_of(bridge, "evil.remote_reference")
        assert (fault.kind, fault.sent) == (FaultKind.BAD_ARGUMENTS, False)
        assert "its input schema cannot be used" in fault.message


async def test_junk_on_stdout_is_skipped(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        assert await value_of(bridge, "evil.junk") == {"text": "still here"}


async def test_endless_junk_ends_the_connection_and_only_that(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.junk_for_ever")
        assert (fault.kind, fault.sent) == (FaultKind.CONNECTION_LOST, True)
        assert "more than 10000 lines on its stdout are not MCP" in fault.message
        assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}


async def test_a_server_that_closes_its_stdout_is_started_anew(tmp_path: Path) -> None:
    async with beside_echo(tmp_path, era="legacy") as bridge:
        fault = await fault_of(bridge, "evil.close_stdout")
        assert (fault.kind, fault.sent) == (FaultKind.CONNECTION_LOST, True)
        assert "it closed the connection" in fault.message
        assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}


async def test_a_server_that_closes_its_stdin_is_started_anew(tmp_path: Path) -> None:
    recorder = Recorder()
    servers = {"evil": entry(EVIL, "closes_stdin", env={"ERA": "legacy"})}
    async with running(tmp_path, servers, recorder) as bridge:
        fault = await fault_of(bridge, "evil.say", within=0.2)
        assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, True)
        failed = await recorder.until_state("evil", ServerState.FAILED)
        assert failed.error == "it closed its stdin"
        await recorder.until_state("evil", ServerState.READY)


async def test_what_is_no_text_passes_in_the_form_of_mcp(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
        assert await value_of(bridge, "evil.image") == {"content": [image]}
        assert await value_of(bridge, "evil.nothing") is None


async def test_an_error_of_the_protocol_is_told_as_it_is(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.own_error", code=-32000, message="quota spent")
        assert (fault.kind, fault.message) == (FaultKind.TOOL_ERROR, "quota spent")


async def test_an_answer_that_never_comes_is_a_time_out(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.never", within=0.2)
        assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, True)


async def test_an_answer_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.late", within=0.1, seconds=0.3)
        assert fault.kind is FaultKind.TIMEOUT
        assert await value_of(bridge, "evil.late", seconds=0.4) == {"text": "late"}


async def test_a_server_that_reads_nothing_times_calls_out(tmp_path: Path) -> None:
    async with beside_echo(tmp_path, "deaf") as bridge:
        for _ in range(3):
            fault = await fault_of(bridge, "evil.say", within=0.2, k="x" * 200_000)
            assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, True)


async def test_a_line_without_end_ends_the_connection_and_only_that(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.flood", mb=300)
        assert (fault.kind, fault.sent) == (FaultKind.MESSAGE_TOO_LARGE, True)
        assert "message_too_large" in fault.message
        assert fault.hint == "let the tool return less: a page, a summary or a link"
        assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}


async def test_a_flood_that_shows_its_request_is_an_output_too_large(tmp_path: Path) -> None:
    async with beside_echo(tmp_path) as bridge:
        fault = await fault_of(bridge, "evil.flood", mb=300, named=True)
        assert (fault.kind, fault.sent) == (FaultKind.OUTPUT_TOO_LARGE, True)
        assert await value_of(bridge, "evil.say", k="back") == {"k": "back"}


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("pages", "too_many_pages"),
        ("tools", "too_many_tools"),
        ("bulky", "catalog_too_large"),
        ("no_list", "not what MCP allows"),
        ("crash", "exit code 1; its last words: this server cannot start"),
    ],
)
async def test_a_server_that_cannot_be_taken_is_failed_with_the_reason(
    tmp_path: Path, mode: str, said: str
) -> None:
    async with beside_echo(tmp_path, mode) as bridge:
        status = bridge.statuses()[0]
        assert (status.server, status.state) == ("evil", ServerState.FAILED)
        assert said in str(status.error)
        fault = await fault_of(bridge, "evil.t")
        assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
        assert fault.hint == "ordinaut-mcp tools test evil"


async def test_tools_whose_names_cannot_be_taken_are_left_out(tmp_path: Path) -> None:
    async with beside_echo(tmp_path, "names") as bridge:
        assert [uses for uses in bridge.specs() if uses.startswith("evil")] == ["evil.good"]
        error = str(bridge.statuses()[0].error)
        assert r"invalid_tool_name: 'say\x00' is left out" in error
        assert "good is listed twice: the second is left out" in error
        assert "nul.description contains the character NUL" in error


async def test_a_server_that_never_greets_is_not_waited_for_beyond_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordinaut_mcp.bridge.connection.CONNECT_WITHIN", 0.5)
    async with beside_echo(tmp_path, "silent") as bridge:
        assert bridge.statuses()[0].error == "it was not ready within 0.5 s"
        fault = await fault_of(bridge, "evil.say", within=0.2)
        assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
