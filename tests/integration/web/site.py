"""A small web site on the loopback that answers with exactly the bytes a test has written."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Line:
    """The connection, for answers that are more than bytes."""

    def __init__(self, write: Callable[[bytes], object], over: Event) -> None:
        self._write = write
        self._over = over

    def send(self, content: bytes) -> None:
        """What is not taken any more is not an error here."""
        with suppress(OSError):
            self._write(content)

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self._over.wait(LONGEST_WAIT)


Reply = bytes | Callable[[Line], None]


@dataclass
class Site:
    """Answers by path; what is not there is a 404."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict[str, Reply])
    asked: list[Asked] = field(default_factory=list[Asked])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        """As ORDINAUT_HTTP_ALLOW names it."""
        return f"127.0.0.1:{self.port}"

    def on(self, path: str, reply: Reply) -> None:
        """Have this answer."""
        self.replies[path] = reply


def answer(
    body: bytes = b"", *headers: str, status: str = "200 OK", kind: str = "text/plain"
) -> bytes:
    """The bytes of one whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def redirect(to: str, status: str = "302 Found") -> bytes:
    """The bytes of a redirect."""
    return answer(b"elsewhere", f"location: {to}", status=status)


def _visitor(site: Site, over: Event) -> type[StreamRequestHandler]:
    class Visit(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ValueError):
                asked = self.read()
                site.asked.append(asked)
                reply = site.replies.get(asked.target.partition("?")[0])
                line = Line(self.wfile.write, over)
                if callable(reply):
                    reply(line)
                else:
                    line.send(reply or answer(b"not here", status="404 Not Found"))

        def read(self) -> Asked:
            method, target, _ = self.rfile.readline().decode("latin-1").split()
            headers: dict[str, str] = {}
            while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            return Asked(method, target, headers, body)

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

    return Visit


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that was broken off."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Generator[Site]:
    """Serve on a free port of the loopback until left."""
    site, over = Site(), Event()
    server = _Server(("127.0.0.1", 0), _visitor(site, over))
    site.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(LONGEST_WAIT)
