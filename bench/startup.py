"""How long a client waits for its first `tools/list`, beside a bare server of the same SDK.

Each round starts both, one after the other, in changing order: a process, the handshake of
2025-11-25, `tools/list`. `fresh`: a home where nothing is, so that the runtime with its
PostgreSQL comes up at the same time; `running`: a home whose runtime is up. The goal is a ratio
of at most 1.3.

    .venv/bin/python bench/startup.py [rounds]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import IO, Any, cast

GOAL = 1.3
BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def ping(x: int) -> str:
    "Answers."
    return "pong"
server.run()
"""
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "0"},
}
OURS = [sys.executable, "-m", "ordinaut_mcp", "serve"]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    for name, measure in (("running", running), ("fresh", fresh)):
        ours, bare = measure(rounds)
        ratio = median(ours) / median(bare)
        verdict = "reached" if ratio <= GOAL else "MISSED"
        print(
            f"{name:8} ours {shown(ours)}  bare {shown(bare)}"
            f"  ratio {ratio:.2f} (goal {GOAL}: {verdict})"
        )


def running(rounds: int) -> tuple[list[float], list[float]]:
    """Against one home whose runtime is up."""
    folder = new_folder()
    try:
        command("up", folder)
        return alternated(rounds, lambda: seconds(OURS, folder))
    finally:
        command("down", folder)
        shutil.rmtree(folder, ignore_errors=True)


def fresh(rounds: int) -> tuple[list[float], list[float]]:
    """Each time in a home where nothing is."""
    return alternated(rounds, in_a_new_home)


def in_a_new_home() -> float:
    folder = new_folder()
    try:
        return seconds(OURS, folder)
    finally:
        command("down", folder)
        shutil.rmtree(folder, ignore_errors=True)


def alternated(rounds: int, ours: Callable[[], float]) -> tuple[list[float], list[float]]:
    """The seconds of both, started in turns; the first round warms the disk and is dropped."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(BARE)
        script.flush()
        bare = [sys.executable, script.name]
        found: dict[str, list[float]] = {"ours": [], "bare": []}
        measures = {"ours": ours, "bare": lambda: seconds(bare, None)}
        for at in range(rounds + 1):
            for name in sorted(measures, reverse=at % 2 == 0):
                found[name].append(measures[name]())
    return found["ours"][1:], found["bare"][1:]


def seconds(words: Sequence[str], home: Path | None) -> float:
    """From the start of the process to the answer of `tools/list`."""
    began = perf_counter()
    with subprocess.Popen(  # noqa: S603 — our own commands
        words,
        env=environment(home),
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
    write(process, {"jsonrpc": "2.0", "id": method, "method": method, "params": params})
    return json.loads(cast("IO[bytes]", process.stdout).readline())


def write(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    stdin = cast("IO[bytes]", process.stdin)
    stdin.write(json.dumps(message).encode() + b"\n")
    stdin.flush()


def environment(home: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDINAUT_")}
    return {**kept, "ORDINAUT_HOME": str(home)} if home else kept


def command(verb: str, home: Path) -> None:
    subprocess.run(  # noqa: S603 — our own commands
        [sys.executable, "-m", "ordinaut_mcp", verb],
        env=environment(home),
        capture_output=True,
        timeout=120,
        check=True,
    )


def new_folder() -> Path:
    """A short folder that the database's account may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="ord-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def shown(values: Sequence[float]) -> str:
    return f"{median(values):.3f} s ({min(values):.3f}–{max(values):.3f})"


if __name__ == "__main__":
    main()
