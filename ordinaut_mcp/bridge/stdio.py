"""The stdio transport: a child's pipes as the two streams that the SDK's client wants.

In place of the SDK's own, which holds a line of any length and leaves grandchildren behind.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.child import Child
from ordinaut_mcp.bridge.lines import Flood, Lines
from ordinaut_mcp.bridge.place import Place
from ordinaut_mcp.bridge.server_config import Local
from ordinaut_mcp.bridge.tail import Tail
from ordinaut_mcp.bridge.wire import TOO_LARGE, instead, message_of

log = logging.getLogger(__name__)

WAITING_MESSAGES: Final = 128
"""Messages that wait while the server does not read: calls time out and never hang on a write."""
MOST_JUNK: Final = 10_000
"""Lines that are not JSON-RPC after which the connection is given up."""
_CHUNK: Final = 64 * 1024

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]
Streams = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]
"""What the SDK's client wants of a transport: to read from, and to write to."""


class TooMuchJunk(Exception):
    """A tool server writes anything but MCP to its stdout."""


@asynccontextmanager
async def stdio(how: Local, place: Place, account: Account) -> AsyncGenerator[Streams]:
    """Start a tool server and speak with it; on leaving, nothing of it is left.

    Raises: CannotStart, NoPlace.
    """
    child = Child(account.server, how, place)
    arriving, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, leaving = anyio.create_memory_object_stream[SessionMessage](WAITING_MESSAGES)
    try:
        async with anyio.create_task_group() as reading:
            reading.start_soon(_read, child, arriving, account)
            reading.start_soon(_listen, child, account.tail)
            try:
                async with anyio.create_task_group() as writing:
                    writing.start_soon(_write, child, leaving, account)
                    yield received, sent
                    writing.cancel_scope.cancel()
            finally:
                received.close()
                with anyio.CancelScope(shield=True):
                    await child.end()
                account.exit_code = child.exit_code
                reading.cancel_scope.cancel()
    finally:
        for stream in (arriving, received, sent, leaving):
            stream.close()
        child.close()


async def _read(child: Child, arriving: Incoming, account: Account) -> None:
    """Hand over each message; once nobody listens any more, read on and drop it.

    At the end of stdout the exit code is awaited a moment, so that errors can tell it.
    """
    lines = Lines()
    with arriving:
        try:
            while chunk := await _chunk(child.stdout):
                for line in lines.feed(chunk):
                    await _hand_over(message_of(line), arriving, account)
            if await child.ended(2):
                account.exit_code = child.exit_code
        except Flood as flood:
            account.reason, account.flooded = str(flood), True
            message = instead(flood.dropped, TOO_LARGE, str(flood))
            await _hand_over(message, arriving, account)
        except TooMuchJunk:
            account.reason = f"more than {MOST_JUNK} lines on its stdout are not MCP"
        account.ended.set()
    while await _chunk(child.stdout):
        pass


async def _hand_over(message: SessionMessage | None, arriving: Incoming, account: Account) -> None:
    if message is None:
        account.junk += 1
        if account.junk == 1:
            log.warning("tool server %s: lines on stdout that are not MCP", account.server)
        if account.junk > MOST_JUNK:
            raise TooMuchJunk
        await anyio.lowlevel.checkpoint()  # thousands of lines fit into one chunk
        return
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await arriving.send(message)


async def _write(child: Child, leaving: Outgoing, account: Account) -> None:
    with leaving:
        async for message in leaving:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await _send(child.stdin, text.encode() + b"\n")
            except OSError:
                account.reason = "it closed its stdin"
                account.ended.set()
                return


async def _send(pipe: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        await anyio.wait_writable(pipe)
        with suppress(BlockingIOError):
            view = view[os.write(pipe, view) :]


async def _listen(child: Child, tail: Tail) -> None:
    while chunk := await _chunk(child.stderr):
        tail.feed(chunk)


async def _chunk(pipe: int) -> bytes:
    """What is there to read; empty at the end."""
    while True:
        await anyio.wait_readable(pipe)
        with suppress(BlockingIOError):
            return os.read(pipe, _CHUNK)
