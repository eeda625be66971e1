"""A stdio server that is spoken to in bytes, line by line, as no client would."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

ANSWER_SECONDS = 30
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "0"},
}


class RawServer:
    """The server process; every line that it wrote to stdout is kept."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self.child = child
        self.lines: list[bytes] = []
        self._log = log
        self._numbers = count(1000)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return self._log.read_text(encoding="utf-8")

    def send(self, line: bytes) -> None:
        """Write one line as it is."""
        assert self.child.stdin is not None
        self.child.stdin.write(line + b"\n")
        self.child.stdin.flush()

    def answer(self, number: int | str | None, *, within: float = ANSWER_SECONDS) -> dict[str, Any]:
        """The answer to one request; what else comes before it is let by."""
        while True:
            message = self._answers.get(timeout=within)
            if message.get("id", ...) == number:
                return message

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        number = next(self._numbers)
        asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.send(json.dumps(asked).encode())
        return self.answer(number)

    def greet(self) -> dict[str, Any]:
        """The handshake of 2025-11-25."""
        hello = self.request("initialize", HELLO)
        self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return hello["result"]

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of one tool, good or not."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})["result"]

    def leave(self, *, within: float = 15) -> int:
        """Close stdin, as a client does, and wait for the end; the exit code."""
        assert self.child.stdin is not None
        with suppress(BrokenPipeError):
            self.child.stdin.close()
        return self.gone(within=within)

    def gone(self, *, within: float = 15) -> int:
        """Wait for the end, with all that it said read; the exit code."""
        code = self.child.wait(within)
        self._reader.join(within)
        return code

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(line)
            with suppress(ValueError):
                self._answers.put(json.loads(line))


@contextmanager
def raw_server(environment: Mapping[str, str], *, log: Path) -> Generator[RawServer, None, None]:
    """Start it; it is gone at the end of the block."""
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "ordinaut_mcp", "serve"],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as child,
    ):
        server = RawServer(child, log)
        try:
            yield server
        finally:
            try:
                server.leave()
            except subprocess.TimeoutExpired:
                child.kill()
