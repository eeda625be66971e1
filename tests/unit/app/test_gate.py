"""The gate of stdin: what passes, what is answered, and that no request is left waiting."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.app.gate import LONGEST, Gate, Line, judged, own_stdin
from ordinaut_mcp.errors import InvalidInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def call(arguments: str, number: str = "1") -> bytes:
    """A call of a tool with these arguments, as text."""
    head = f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call"'
    return f'{head},"params":{{"name":"t","_meta":{{"a":1}},"arguments":{arguments}}}}}'.encode()


def refusal(line: Line) -> tuple[str, str | None]:
    assert line.error is not None
    return line.error.code, line.error.field


@pytest.mark.parametrize(
    "raw",
    [
        call('{"a": [1, "x", {"b": null}]}'),
        call("{}", '"own"'),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","id":1,"method":"\u20ac"}'.encode(),
    ],
)
def test_a_clean_message_passes_as_it_came(raw: bytes) -> None:
    assert judged(raw) == Line(raw.decode())


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ('{"params": {"n": NaN}}', "invalid_number", "params.n"),
        ('{"params": {"a": 1, "a": 2}}', "duplicate_key", "params.a"),
        ('{"title": "x", "title": "y"}', "duplicate_key", "title"),
        ('{"params": {"a": "\\ud800"}}', "invalid_text", "params.a"),
        ('{"params": {"a": %s}}' % ("[" * 150 + "]" * 150), "too_deep", "params"),
    ],
)
def test_a_call_with_bad_arguments_goes_on_without_them(
    arguments: str, code: str, field: str
) -> None:
    line = judged(call(arguments, '"own"'))
    assert refusal(line) == (code, field)
    assert line.error is not None
    assert "params.arguments" not in line.error.message
    assert line.request_id == "own"
    bare = {"name": "t", "arguments": {}, "_meta": {"a": 1}}
    assert json.loads(line.text or "")["params"] == bare


def test_a_call_with_a_bad_name_goes_on_without_it() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}'
    line = judged(raw)
    assert refusal(line) == ("invalid_text", "params.name")
    assert json.loads(line.text or "")["params"] == {"name": "tools/call", "arguments": {}}


@pytest.mark.parametrize(
    ("raw", "number", "code", "field"),
    [
        (b"hello", None, "parse_error", "(body)"),
        (b'"\xff"', None, "parse_error", "(body)"),
        (b"[" * 100_000, None, "parse_error", "(body)"),
        (b"[]", None, "wrong_type", "(body)"),
        (b"[NaN]", None, "invalid_number", "[0]"),
        (b'{"jsonrpc":"1.0","id":1}', 1, "not_allowed", "jsonrpc"),
        (b'{"jsonrpc":"2.0","id":null}', None, "wrong_type", "id"),
        (b'{"jsonrpc":"2.0","id":true}', None, "wrong_type", "id"),
        (b'{"jsonrpc":"2.0","id":"%s"}' % (b"i" * 201), None, "wrong_type", "id"),
        (b'{"jsonrpc":"2.0","id":2,"method":"x","params":{"a":1e999}}', 2, "invalid_number", None),
        (b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":NaN}', 3, "invalid_number", None),
    ],
)
def test_what_is_no_request_is_answered_by_what_is_wrong(
    raw: bytes, number: int | None, code: str, field: str | None
) -> None:
    line = judged(raw)
    assert (line.text, line.request_id) == (None, number)
    assert refusal(line)[0] == code
    assert field is None or refusal(line)[1] == field


@given(st.binary(max_size=60))
def test_no_bytes_at_all_make_the_gate_fall(raw: bytes) -> None:
    line = judged(raw)
    assert line.error is not None or line.text == raw.decode()


@given(JSON, st.integers(0, 9))
def test_a_request_either_passes_or_is_answered(arguments: Any, number: int) -> None:
    line = judged(call(json.dumps({"a": arguments}), str(number)))
    assert line.text is not None
    if line.error is None:
        assert json.loads(line.text)["params"]["arguments"] == {"a": arguments}
    else:
        assert line.request_id == number


@pytest.mark.anyio
async def test_lines_wait_until_there_is_a_way_to_answer() -> None:
    raw = b"\n".join([b"", b"no JSON", call('{"a":NaN}'), call('{"b":1}'), b""])
    refused: list[tuple[str, str]] = []
    answered: list[tuple[str | int | None, str]] = []
    gate = Gate(io.BytesIO(raw), lambda number, error: refused.append((number, error.code)))

    async def unreadable(number: str | int | None, error: InvalidInput) -> None:
        answered.append((number, error.code))

    passed: list[str] = []

    async def read() -> None:
        passed.extend([line async for line in gate])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            assert passed == []
            gate.open(unreadable)
    assert [json.loads(line)["params"]["arguments"] for line in passed] == [{}, {"b": 1}]
    assert refused == [("1", "invalid_number")]
    assert answered == [(None, "parse_error")]


@pytest.mark.anyio
async def test_a_line_that_is_too_long_is_read_past() -> None:
    answered: list[str] = []

    async def unreadable(number: str | int | None, error: InvalidInput) -> None:
        assert number is None
        answered.append(error.code)

    raw = b"x" * (2 * LONGEST + 7) + b"\n" + call("{}")
    gate = Gate(io.BytesIO(raw), refuse=lambda number, error: None)
    gate.open(unreadable)
    with anyio.fail_after(10):
        assert [line async for line in gate] == [call("{}").decode()]
    assert answered == ["too_large"]


def test_stdin_is_for_the_server_alone() -> None:
    kept = os.dup(0)
    reader, writer = os.pipe()
    try:
        os.dup2(reader, 0)
        os.write(writer, b"a line\n")
        os.close(writer)
        with own_stdin() as ours:
            assert os.read(0, 10) == b""
            assert ours.read() == b"a line\n"
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
