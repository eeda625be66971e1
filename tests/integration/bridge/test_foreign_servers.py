"""Tool servers that nobody here wrote: from the package index, over stdio."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from subprocess import run
from threading import Thread
from typing import Any

import pytest

from ordinaut_mcp.domain.tool import FaultKind, ServerState
from tests.integration.bridge.running import fault_of, running, value_of

pytestmark = pytest.mark.anyio


def server(module: str, *args: str) -> dict[str, Any]:
    """The entry of a server that is a module of a package of the dev extra."""
    assert find_spec(module), f"{module} is missing: pip install -e '.[dev]'"
    return {"command": sys.executable, "args": ["-m", module, *args]}


async def test_the_time_server_answers(tmp_path: Path) -> None:
    async with running(tmp_path, {"time": server("mcp_server_time")}) as bridge:
        assert set(bridge.specs()) == {"time.get_current_time", "time.convert_time"}
        now = await value_of(bridge, "time.get_current_time", timezone="Asia/Kolkata")
        assert now["timezone"] == "Asia/Kolkata"
        assert now["datetime"].endswith("+05:30")
        fault = await fault_of(bridge, "time.get_current_time", timezone="Nowhere/Land")
        assert fault.kind is FaultKind.TOOL_ERROR
        fault = await fault_of(bridge, "time.get_current_time")
        assert (fault.kind, fault.sent) == (FaultKind.BAD_ARGUMENTS, False)
        assert fault.message == "timezone is missing"


async def test_the_git_server_reads_and_writes_a_repository(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    where: dict[str, Any] = {"repo_path": str(repository)}
    servers = {"git": server("mcp_server_git", "--repository", str(repository))}
    async with running(tmp_path, servers) as bridge:
        assert bridge.specs()["git.git_status"].hints.read_only
        assert not bridge.specs()["git.git_commit"].hints.read_only
        assert "letter.txt" in await value_of(bridge, "git.git_status", **where)
        await value_of(bridge, "git.git_add", files=["letter.txt"], **where)
        said = await value_of(bridge, "git.git_commit", message="Add a letter", **where)
        assert "committed successfully" in said
        assert "Add a letter" in await value_of(bridge, "git.git_log", **where)
        fault = await fault_of(bridge, "git.git_show", revision="nowhere", **where)
        assert (fault.kind, fault.sent) == (FaultKind.TOOL_ERROR, True)
        fault = await fault_of(bridge, "git.git_status", repo_path=str(tmp_path))
        assert fault.kind is FaultKind.TOOL_ERROR
        assert (await bridge.preflight(["git"]))[0].state is ServerState.READY


async def test_the_fetch_server_reads_a_page_of_the_loopback(tmp_path: Path) -> None:
    without_node = {"PATH": str(tmp_path)}  # which it would use, with modules that it does not have
    fetch = server("mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips")
    servers = {"fetch": fetch | {"env": without_node}}
    with page("<html><body><h1>Harbour</h1><p>The ferry leaves at nine.</p></body></html>") as url:
        async with running(tmp_path, servers) as bridge:
            text = await value_of(bridge, "fetch.fetch", url=url)
            assert "The ferry leaves at nine." in text
            fault = await fault_of(bridge, "fetch.fetch", url=f"{url}gone")
            assert fault.kind in {FaultKind.TOOL_ERROR, FaultKind.BAD_ARGUMENTS}
            assert "404" in fault.message


def new_repository(folder: Path) -> Path:
    """A repository with one letter that is not added yet."""
    repository = folder / "repository"
    run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    (repository / "letter.txt").write_text("Dear reader\n")
    for name, value in (("user.name", "Tess"), ("user.email", "tess@example.org")):
        run(["git", "-C", str(repository), "config", name, value], check=True)
    return repository


@contextmanager
def page(html: str) -> Generator[str]:
    """Serve one page at `/` on a free port of the loopback."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = html.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}/"
    finally:
        served.shutdown()
        served.server_close()
        thread.join()
