"""The gate of stdin: each line is read as strict JSON before the SDK sees it.

The SDK keeps the last of two equal keys without a word, and drops a line that it cannot read, so
that whoever asked waits for ever. Here every request gets an answer: a call whose arguments are
no clean JSON goes on without them and is told why, and what cannot be read at all is answered
as JSON-RPC says, with the id null where there is none.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO, Final, cast

import anyio
from anyio import to_thread

from ordinaut_mcp.domain.clean import BODY, clean_json, strict_loads
from ordinaut_mcp.errors import InvalidInput

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a line that is held in memory; longer ones are read past."""
LONGEST_ID: Final = 200
"""Characters of an id: it is given back in the answer."""
READABLE: Final = replace(BODY, depth=100)
"""Less deep than what the SDK can read."""
ARGUMENTS: Final = "params.arguments"

Unreadable = Callable[[str | int | None, InvalidInput], Awaitable[None]]
Refuse = Callable[[str, InvalidInput], None]


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it goes on to the SDK (None: it does not), and what was wrong with it."""

    text: str | None
    request_id: str | int | None = None
    error: InvalidInput | None = None


def judged(raw: bytes) -> Line:
    """The line, whether it may pass, and if not which request it was."""
    try:
        message = strict_loads(raw, limits=READABLE)
    except InvalidInput as error:
        return _refused(raw, error)
    if misfit := _misfit(message):
        return Line(None, _number(message), misfit)
    return Line(raw.decode())


def _misfit(message: object) -> InvalidInput | None:
    """What is wrong with the envelope; the SDK would let such a message fall."""
    if not isinstance(message, dict):
        said = "A message is one JSON object; there are no batches."
        return InvalidInput(said, code="wrong_type", field="(body)")
    envelope = cast("dict[str, Any]", message)
    if envelope.get("jsonrpc") != "2.0":
        said = "This is not JSON-RPC 2.0."
        return InvalidInput(said, code="not_allowed", field="jsonrpc", allowed=["2.0"])
    if "id" in envelope and _number(envelope) is None:
        rule = f"a whole number, or a text of at most {LONGEST_ID} characters"
        return InvalidInput(f"The id must be {rule}.", code="wrong_type", field="id")
    return None


def _number(message: object) -> str | int | None:
    """The id of a request, where it has one that can be answered."""
    found = cast("dict[str, Any]", message).get("id") if isinstance(message, dict) else None
    if isinstance(found, str):
        return found if len(found) <= LONGEST_ID else None
    return found if type(found) is int else None


def _refused(raw: bytes, error: InvalidInput) -> Line:
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return Line(None, error=error)
    number = _number(message)
    request = cast("dict[str, Any]", message) if number is not None else {}
    params: object = request.get("params")
    if request.get("method") != "tools/call" or not isinstance(params, dict):
        return Line(None, number, error)
    return _without_arguments(request, cast("dict[str, Any]", params), error)


def _without_arguments(
    request: Mapping[str, Any], params: Mapping[str, Any], error: InvalidInput
) -> Line:
    bare: dict[str, Any] = {"name": "tools/call", "arguments": {}}
    meta = {"_meta": params["_meta"]} if "_meta" in params else {}
    named = _in_arguments(params.get("arguments"), error)
    if named is not error or (error.field or "").startswith(ARGUMENTS):
        bare["name"] = params.get("name", "")
    text = json.dumps({**request, "params": {**bare, **meta}})
    return Line(text, request["id"], named)


def _in_arguments(arguments: object, error: InvalidInput) -> InvalidInput:
    """The error as the argument's own; what is told of the whole is looked for in each."""
    if (error.field or "").startswith(f"{ARGUMENTS}."):
        field = (error.field or "").removeprefix(f"{ARGUMENTS}.")
        said = error.message.replace(f"{ARGUMENTS}.", "", 1)
        return InvalidInput(said, code=error.code, field=field, hint=error.hint)
    try:
        members = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
        for name, value in members.items():
            clean_json(value, field=name)
    except InvalidInput as own:
        return own
    return error


class Gate:
    """The lines of stdin for the SDK's server, which takes them as it takes a file's.

    `refuse` is told of a call that goes on without its arguments; `open` says how the others
    are answered, and until then no line is read.
    """

    def __init__(self, source: BinaryIO, refuse: Refuse) -> None:
        self._source = source
        self._refuse = refuse
        self._unreadable: Unreadable | None = None
        self._opened = anyio.Event()

    def open(self, unreadable: Unreadable) -> None:
        """Let the lines through."""
        self._unreadable = unreadable
        self._opened.set()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        await self._opened.wait()
        while raw := await self._read():
            line = judged(raw) if len(raw) <= LONGEST else _too_long()
            if line.error is not None and not raw.isspace():
                await self._tell(line, line.error)
            if line.text is not None:
                yield line.text

    async def _tell(self, line: Line, error: InvalidInput) -> None:
        if line.text is not None:
            self._refuse(str(line.request_id), error)
        elif self._unreadable is not None:
            await self._unreadable(line.request_id, error)

    async def _read(self) -> bytes:
        """The next line; of one that is too long only as much as shows that."""
        part = await self._readline()
        line = part
        while len(part) > LONGEST and not part.endswith(b"\n"):
            part = await self._readline()
        return line

    async def _readline(self) -> bytes:
        # Nobody else reads from here, so that a reader that is left behind harms nobody.
        read = partial(self._source.readline, LONGEST + 1)
        return await to_thread.run_sync(read, abandon_on_cancel=True)


def _too_long() -> Line:
    error = InvalidInput(
        f"A message may have at most {LONGEST} bytes.", code="too_large", field="(body)"
    )
    return Line(None, error=error)


def own_stdin() -> BinaryIO:
    """What the client writes, for us alone: descriptor 0 reads as empty from now on."""
    ours = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return ours
