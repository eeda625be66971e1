"""A database, a home and tool servers; runtime processes inside this one or of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from ordinaut_mcp.app.process import RuntimeProcess
from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.run import Run, RunState
from ordinaut_mcp.ports import RunFilter
from ordinaut_mcp.runtime.supervisor import Supervisor
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.store.pool import Pool
from tests.servers import ECHO, HERE, entry

ANN = Caller("ann")
ROOT = Path(__file__).parents[3]
ENDED = {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.WAITING}
ALL_ROLES = ("scheduler", "worker", "reaper")
LEASE_SECONDS = 2

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], *, seconds: float = 30) -> T:
    """What `look` finds, as soon as it finds something."""
    with anyio.fail_after(seconds):
        while (found := await look()) is None:  # noqa: ASYNC110 — other processes send no events
            await anyio.sleep(0.02)
    return found


class Station:
    """One database with everything around it."""

    def __init__(self, pool: Pool, database: str, folder: Path) -> None:
        self.pool, self.database, self.folder = pool, database, folder
        self.gate, self.calls_file = folder / "gate", folder / "calls"
        self.count_file = folder / "count"
        where = {"GATE": str(self.gate), "CALLS": str(self.calls_file)}
        servers = {
            "echo": entry(ECHO, env={"COUNT_FILE": str(self.count_file)}),
            "gate": entry(HERE / "gate.py", env=where),
        }
        (folder / "tools.json").write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
        self.services: Services = services_over(pool, self.settings())

    def settings(self, *, lease_seconds: float = 30) -> Settings:
        return Settings(home=self.folder, timezone="Europe/Chisinau", lease_seconds=lease_seconds)

    @asynccontextmanager
    async def inside(
        self, *roles: str, lease_seconds: float = 30
    ) -> AsyncGenerator[Supervisor, None]:
        """A runtime process as tasks of this one."""
        settings = self.settings(lease_seconds=lease_seconds)
        process = RuntimeProcess(settings, self.database, roles or ALL_ROLES)
        async with process.running() as supervisor:
            yield supervisor

    @contextmanager
    def outside(
        self, name: str, *roles: str, lease_seconds: int = LEASE_SECONDS
    ) -> Generator[Outside, None, None]:
        """A runtime process of its own, ended on leaving."""
        environment = {
            **os.environ,
            "ORDINAUT_HOME": str(self.folder),
            "ORDINAUT_DATABASE_URL": self.database,
            "ORDINAUT_LEASE_SECONDS": str(lease_seconds),
        }
        log = self.folder / f"{name}.log"
        command = [sys.executable, "-m", "ordinaut_mcp", "runtime", "--roles", ",".join(roles)]
        with log.open("wb") as stderr:
            child = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=stderr)
        try:
            yield Outside(child, log)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait(timeout=20)

    async def order(self, *steps: dict[str, Any], **more: Any) -> Run:
        """A task that is never due by itself, and a run of it that is due now."""
        request = {"title": "Test", "schedule_expr": "0 0 1 1 *", "pipeline": list(steps), **more}
        saved = await self.services.tasks.schedule(ANN, request)
        return await self.run_now(saved.task.name)

    async def run_now(self, task: str) -> Run:
        return await self.services.runs.run_now(ANN, task, params=None, key=None, wait=timedelta(0))

    async def ended(self, run: Run, *, seconds: float = 30) -> Run:
        """The run, once it has ended or waits for somebody."""

        async def look() -> Run | None:
            seen = await self.services.runs.get(ANN, f"run_{run.id}")
            return seen if seen.state in ENDED else None

        return await until(look, seconds=seconds)

    async def first_run(self, task: str, *, seconds: float = 30) -> Run:
        """The first run of a task, once it has ended."""

        async def look() -> Run | None:
            runs = await self.services.runs.list(ANN, RunFilter(), task=task)
            return runs[-1] if runs else None

        return await self.ended(await until(look, seconds=seconds), seconds=seconds)

    def calls(self, tool: str) -> list[dict[str, Any]]:
        """The calls of a tool behind the gate that have begun."""
        if not self.calls_file.exists():
            return []
        lines = self.calls_file.read_text(encoding="utf-8").splitlines()
        return [call for call in map(json.loads, lines) if call["tool"] == tool]

    async def until_calls(self, tool: str, number: int) -> None:
        """Wait until so many calls have begun."""

        async def look() -> bool | None:
            return len(self.calls(tool)) >= number or None

        await until(look)

    def open_gate(self) -> None:
        self.gate.touch()


class Outside:
    """A process of its own."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self._child = child
        self.log = log

    async def until_says(self, words: str) -> None:
        """Wait until its log has these words."""

        async def look() -> bool | None:
            return words in self.log.read_text(encoding="utf-8", errors="replace") or None

        await until(look)

    def tell(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    async def gone(self) -> int:
        """Its exit code, once it has ended."""
        return await to_thread.run_sync(lambda: self._child.wait(timeout=20))
