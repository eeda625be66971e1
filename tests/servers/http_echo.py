"""A tool server over streamable HTTP (JSON answers), in a thread of the test itself.

It speaks 2026-07-28, or 2025-11-25 alone, and gives tokens to who knows its secret.
"""

from __future__ import annotations

import json
import select
import socket
from base64 import b64decode
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs

TOOLS = ("say", "large", "compressed", "slow", "status")


@dataclass
class HttpEcho:
    """A running server: where it listens, and what it was asked."""

    url: str = ""
    token_url: str = ""
    legacy: bool = False
    guarded: bool = False
    """Whether it wants the newest token that it gave."""
    lifetime: int | None = None
    """Of tokens, in seconds."""
    token_error: tuple[int, str] | None = None
    """What the token endpoint answers in place of a token."""
    calls: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """The headers of every call that it carried out."""
    token_requests: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    tokens: list[str] = field(default_factory=list[str])
    began: Event = field(default_factory=Event)
    """A call of `slow` has begun."""
    given_up: Event = field(default_factory=Event)
    """The client has cancelled it: in the way of its era."""
    stop: Callable[[], None] = lambda: None
    """Close the port and every connection."""

    def revoke(self) -> None:
        """No token that was given is good any more."""
        self.tokens.append("none is good")

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        return not self.guarded or headers.get("Authorization") == f"Bearer {self.newest}"

    @property
    def newest(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def token(self, form: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """What the token endpoint answers: a status, and a body."""
        asked = {name: values[0] for name, values in parse_qs(form).items()}
        basic = b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
        self.token_requests.append(asked | {"basic": basic})
        if self.token_error:
            return self.token_error
        self.tokens.append(f"token-{len(self.token_requests)}")
        about: dict[str, Any] = {"access_token": self.newest, "token_type": "bearer"}
        if self.lifetime is not None:
            about["expires_in"] = self.lifetime
        return 200, json.dumps(about)

    def result_of(self, request: dict[str, Any]) -> dict[str, Any] | None:
        params = request.get("params", {})
        match request["method"]:
            case "server/discover" if not self.legacy:
                return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            case "initialize":
                about = {"name": "http_echo", "version": "1"}
                return {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": about}
            case "tools/list":
                return {
                    "tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
                }
            case "tools/call" if params["name"] in {"say", "slow"}:
                return {"content": [], "structuredContent": params["arguments"]}
            case "tools/call":
                return {"content": [], "structuredContent": {"a": "x" * 5 * 1024 * 1024}}
            case _:
                return None


class Answers(BaseHTTPRequestHandler):
    """One connection of a client."""

    echo: HttpEcho

    def do_GET(self) -> None:
        self.reply(405, "", kind="text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/token":
            self.reply(*self.echo.token(body, dict(self.headers)))
        elif not self.echo.lets_in(dict(self.headers)):
            self.reply(401, '{"error": "invalid_token"}')
        else:
            self.answer(json.loads(body))

    def answer(self, request: dict[str, Any]) -> None:
        params = request.get("params", {})
        name = params.get("name") if request["method"] == "tools/call" else None
        if name:
            self.echo.calls.append({key.lower(): value for key, value in self.headers.items()})
        if name == "slow":
            self.wait()
        if request["method"] == "notifications/cancelled":
            self.echo.given_up.set()
        if name == "status":
            self.reply(params["arguments"]["status"], "<html>no</html>", kind="text/html")
        elif "id" not in request:
            self.reply(202, "")
        else:
            self.reply(200, self.message(request), gzip=name == "compressed")

    def message(self, request: dict[str, Any]) -> str:
        result = self.echo.result_of(request)
        about = {} if self.echo.legacy else {"resultType": "complete", "ttlMs": 0}
        about |= {} if self.echo.legacy else {"cacheScope": "private"}
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        if result is None:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        else:
            answer["result"] = about | result
        return json.dumps(answer)

    def wait(self) -> None:
        """Until the client has given up: it closes the connection, or says so."""
        self.echo.began.set()
        while not self.echo.given_up.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.02)
            if ready and not self.connection.recv(1, socket.MSG_PEEK):
                self.echo.given_up.set()

    def reply(
        self, status: int, body: str, *, kind: str = "application/json", gzip: bool = False
    ) -> None:
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body.encode())))
            if gzip:
                self.send_header("content-encoding", "gzip")
            self.end_headers()
            self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(**settings: Any) -> Generator[HttpEcho]:
    """Serve on a free port of the loopback until left."""
    echo = HttpEcho(**settings)
    handler = type("Answers", (Answers,), {"echo": echo})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    host = f"http://127.0.0.1:{server.server_address[1]}"
    echo.url, echo.token_url = f"{host}/mcp", f"{host}/token"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()

    def stop() -> None:
        echo.given_up.set()
        server.shutdown()
        server.server_close()
        thread.join()

    echo.stop = stop
    try:
        yield echo
    finally:
        stop()
