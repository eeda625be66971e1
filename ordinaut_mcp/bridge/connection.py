"""One MCP client, opened and closed in one task: its transport, its settings, its end."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from mcp import Client, StdioServerParameters, types
from mcp.client import ClientRequestContext, Transport
from mcp.client.stdio import stdio_client

from ordinaut_mcp import __version__
from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.place import Place
from ordinaut_mcp.bridge.remote import remote
from ordinaut_mcp.bridge.server_config import Local, Remote, ServerConfig
from ordinaut_mcp.bridge.stdio import stdio

CONNECT_WITHIN: Final = 60.0
"""Seconds to start, greet and list tools: the first start of a packaged server may download it."""

ToolsChanged = Callable[[], None]


@asynccontextmanager
async def connected(
    config: ServerConfig, place: Place, *, account: Account, tools_changed: ToolsChanged
) -> AsyncGenerator[tuple[Client, anyio.CancelScope]]:
    """A client that has greeted the server, and the scope that bounds the time to get ready.

    The caller sets the scope's deadline to infinity once it is ready. Raises what the
    transport or the greeting raises; `TimeoutError` when it took too long.
    """
    limit = anyio.CancelScope(deadline=anyio.current_time() + CONNECT_WITHIN)
    with limit:
        async with _client(config, place, account, tools_changed) as client:
            client.session.validate_tool_result = _trust  # security.md, finding 1
            yield client, limit
    if limit.cancelled_caught:
        raise TimeoutError(f"it was not ready within {CONNECT_WITHIN:g} s")


def _client(
    config: ServerConfig, place: Place, account: Account, tools_changed: ToolsChanged
) -> Client:
    async def on_message(message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            tools_changed()

    return Client(
        _transport(config, place, account),
        client_info=types.Implementation(name="ordinaut", version=__version__),
        elicitation_callback=_nobody,
        message_handler=on_message,
        cache=None,
    )


def _transport(config: ServerConfig, place: Place, account: Account) -> Transport:
    match config.how:
        case Remote():
            return remote(config.how)
        case Local() if sys.platform == "win32":  # pragma: no cover
            how = config.how
            cwd = place.working_folder(config.name, how.cwd)
            parameters = StdioServerParameters(
                command=how.command, args=list(how.args), env=dict(how.env), cwd=cwd
            )
            return stdio_client(parameters)  # its Job Object ends what the server started
        case Local():  # pragma: no branch
            return stdio(config.how, place, account)


async def _nobody(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ErrorData:
    """Says to servers that they may ask; what they ask in a call goes to `Unattended`."""
    del context, params
    return types.ErrorData(code=types.INVALID_REQUEST, message="Nobody is there to answer.")


async def _trust(name: str, result: types.CallToolResult) -> None:
    """In place of the SDK's own check, which a hostile schema can make endless; ours follows."""
    del name, result
