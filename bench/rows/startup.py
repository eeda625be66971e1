"""How long a client waits for its first `tools/list`, beside a bare server of the same SDK.

Each round starts both, in changing order: a process, the handshake of 2025-11-25, `tools/list`.
`running`: a home whose runtime is up; `fresh`: a home where nothing is, so that the runtime with
a PostgreSQL of its own comes up at the same time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import perf_counter
from typing import IO, Any, Final, cast

from children import command, environment
from harness import Finding, Goal, Ground, Spread
from stations import local_runtime, new_home, serve

ROW = "startup"
BARE: Final = """
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def ping(x: int) -> str:
    "Answers."
    return "pong"
server.run()
"""
HELLO: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "0"},
}


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Both kinds of home."""
    with NamedTemporaryFile("w", suffix=".py") as script:
        script.write(BARE)
        script.flush()
        bare = [sys.executable, script.name]
        for name, kind in (("a running home", running), ("a fresh home", fresh)):
            ours, theirs = kind(ground, bare)
            yield Finding(
                row=ROW, figure=f"start → tools/list answered, {name}", unit="s", ours=ours,
                peer="a bare SDK server", theirs=theirs, goal=Goal(1.3, "at most", "ratio"),
            )  # fmt: skip


def running(ground: Ground, bare: Sequence[str]) -> tuple[Spread, Spread]:
    """Against one home whose runtime is up; one start of each warms the disk."""
    home = new_home(ground.server.folder)
    with ground.server.database() as url, local_runtime(home, url) as env:
        seconds(serve(), env)
        seconds(bare, env)
        return ground.alternated(lambda: seconds(serve(), env), lambda: seconds(bare, env))


def fresh(ground: Ground, bare: Sequence[str]) -> tuple[Spread, Spread]:
    """Each time in a home where nothing is."""
    folder = ground.server.folder
    return ground.alternated(
        lambda: in_a_new_home(folder), lambda: seconds(bare, environment(folder))
    )


def in_a_new_home(folder: Path) -> float:
    """One start, and the end of what it started."""
    home = new_home(folder)
    env = environment(home)
    try:
        return seconds(serve(), env)
    finally:
        command(["down"], env)
        shutil.rmtree(home, ignore_errors=True)


def seconds(words: Sequence[str], env: Mapping[str, str]) -> float:
    """From the start of the process to the answer of `tools/list`."""
    began = perf_counter()
    with subprocess.Popen(  # noqa: S603 — our own commands
        words,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        ask(process, "initialize", HELLO)
        write(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        listed = ask(process, "tools/list", {})
        took = perf_counter() - began
        if not listed["result"]["tools"]:
            raise RuntimeError("no tools are listed")
        cast("IO[bytes]", process.stdin).close()
    return took


def ask(process: subprocess.Popen[bytes], method: str, params: dict[str, Any]) -> dict[str, Any]:
    """One request and its answer."""
    write(process, {"jsonrpc": "2.0", "id": method, "method": method, "params": params})
    return json.loads(cast("IO[bytes]", process.stdout).readline())


def write(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    """One message."""
    stdin = cast("IO[bytes]", process.stdin)
    stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()
