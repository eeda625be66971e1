"""A home over a database of the one server: tools file, local runtime, a client over stdio."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from children import HERE, ROOT, command, environment
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

ECHO = ROOT / "tests" / "servers" / "echo.py"
OWN = HERE / "tool_server.py"


def new_home(folder: Path, *, servers: Mapping[str, Path] | None = None) -> Path:
    """A new ORDINAUT_HOME whose tools file names these scripts."""
    home = Path(mkdtemp(prefix="h-", dir=folder))
    home.chmod(0o755)
    entries = {
        name: {"command": sys.executable, "args": [str(script)]}
        for name, script in (servers or {}).items()
    }
    (home / "tools.json").write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
    return home


@contextmanager
def local_runtime(home: Path, url: str) -> Generator[dict[str, str], None, None]:
    """The local runtime of a home, up over this database; the environment of its clients."""
    env = environment(home, database_url=url)
    command(["up"], env)
    try:
        yield env
    finally:
        command(["down"], env)


@asynccontextmanager
async def stdio(words: list[str], env: Mapping[str, str], log: Path) -> AsyncGenerator[Client]:
    """A client of a stdio server, as a desktop program starts it."""
    parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(env))
    with log.open("a", encoding="utf-8") as stderr:
        async with Client(stdio_client(parameters, errlog=stderr)) as client:
            yield client


def serve() -> list[str]:
    """Our stdio server."""
    return [sys.executable, "-m", "ordinaut_mcp", "serve"]


async def timed(client: Client, tool: str, arguments: Mapping[str, Any]) -> float:
    """Milliseconds from the question to the answer, which must be good."""
    began = time.perf_counter()
    result = await client.call_tool(tool, dict(arguments))
    took = time.perf_counter() - began
    if result.is_error:
        raise RuntimeError(f"{tool}: {str(result.content)[:300]}")
    return took * 1000
