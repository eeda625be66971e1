"""A tool server over streamable HTTP (2026-07-28, JSON answers), in a thread of the test itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class HttpEcho:
    """A running server: where it listens, and the headers of every call that it got."""

    url: str = ""
    calls: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    stop: Callable[[], None] = lambda: None
    """Close the port and every connection."""

    def result_of(self, request: dict[str, Any]) -> dict[str, Any] | None:
        params = request.get("params", {})
        match request["method"]:
            case "server/discover":
                return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            case "tools/list":
                schema = {"type": "object"}
                names = ("say", "large", "compressed")
                return {"tools": [{"name": name, "inputSchema": schema} for name in names]}
            case "tools/call" if params["name"] == "say":
                return {"content": [], "structuredContent": params["arguments"]}
            case "tools/call":
                return {"content": [], "structuredContent": {"a": "x" * 5 * 1024 * 1024}}
            case _:
                return None


@contextmanager
def serving() -> Generator[HttpEcho]:
    """Serve on a free port of the loopback until left."""
    echo = HttpEcho()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if request["method"] == "tools/call":
                echo.calls.append({name.lower(): value for name, value in self.headers.items()})
            result = echo.result_of(request)
            about = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
            if result is None:
                answer["error"] = {"code": -32601, "message": "Method not found"}
            else:
                answer["result"] = about | result
            self.answer(json.dumps(answer).encode(), request.get("params", {}).get("name"))

        def answer(self, body: bytes, tool: str | None) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if tool == "compressed":
                self.send_header("content-encoding", "gzip")
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    echo.url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    echo.stop = stop
    try:
        yield echo
    finally:
        stop()
