"""The bridge: every tool server of the tools file, kept connected and called in one place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ordinaut_mcp.bridge.call import READY_WITHIN, Request, call
from ordinaut_mcp.bridge.faults import not_reachable
from ordinaut_mcp.bridge.ongoing import Progress
from ordinaut_mcp.bridge.place import Place
from ordinaut_mcp.bridge.pulse import Pulse
from ordinaut_mcp.bridge.question import Answer
from ordinaut_mcp.bridge.reports import Observer, Reports
from ordinaut_mcp.bridge.server_config import ServerConfig
from ordinaut_mcp.bridge.session import Session
from ordinaut_mcp.bridge.tools_file import FileProblem, ToolsFile, read_tools_file
from ordinaut_mcp.domain.nearest import did_you_mean
from ordinaut_mcp.domain.tool import (
    Fault,
    FaultKind,
    ServerState,
    ServerStatus,
    ToolOutcome,
    ToolSpec,
)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the tools file."""

PREFLIGHT_WITHIN: Final = timedelta(seconds=20)

Stamp = tuple[int, int, int] | None


@dataclass
class _Kept:
    """A session in its own task; `gone` is set once nothing of it is left."""

    session: Session
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    gone: anyio.Event = field(default_factory=anyio.Event)


class Bridge:
    """Owns the connections to all tool servers while `run` runs.

    The tools file is looked at every second and read again when it has changed: servers that
    came are started, those that went are ended, changed ones are started anew, and the others
    notice nothing. While the file is not JSON, what it held before stays.
    """

    def __init__(
        self,
        tools_file: Path,
        observer: Observer | None = None,
        *,
        private_folder: Path | None = None,
        answer: Answer | None = None,
    ) -> None:
        """`private_folder` is where each local server gets a working folder of its own (0700);
        without it they work in the folder of the tools file. `answer` may answer what tools ask
        in the middle of a call; without it, such a call fails.
        """
        self._path = tools_file
        folder = tools_file.absolute().parent
        self._place = Place(tools_folder=folder, private_below=private_folder)
        self._answer = answer
        self._reports = Reports(observer)
        self._kept: dict[str, _Kept] = {}
        self._refused: dict[str, FileProblem] = {}
        self._problems: tuple[FileProblem, ...] = ()
        self._seen = False
        self._moved = Pulse()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep every server connected until cancelled; started once the file has been read."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._reports.run)
                await self._watch(tasks, task_status)
        finally:
            self._kept.clear()

    async def call(
        self,
        uses: str,
        arguments: Mapping[str, Any],
        *,
        idempotency_key: str,
        timeout: timedelta,  # noqa: ASYNC109 - a span of the step, told in faults
    ) -> ToolOutcome:
        """Call the tool that a step `uses`; whatever goes wrong comes back as a `Fault`.

        The key reaches the tool as `_meta["ordinaut/idempotency-key"]`, and over HTTP as the
        header `Idempotency-Key`, too. The call takes no longer than `timeout`, of which at most
        10 s pass waiting for the server.
        """
        server, _, tool = uses.partition(".")
        with anyio.move_on_after(min(timeout.total_seconds(), READY_WITHIN)):
            while not self._seen:
                await self._moved.wait()
        kept = self._kept.get(server)
        if kept is None:
            return self._absent(server, uses)
        request = Request(
            tool=tool, arguments=arguments, idempotency_key=idempotency_key, timeout=timeout
        )
        return await call(kept.session, request)

    async def preflight(
        self,
        servers: Collection[str] | None = None,
        *,
        timeout: timedelta = PREFLIGHT_WITHIN,  # noqa: ASYNC109 - see call
    ) -> list[ServerStatus]:
        """Make sure that these servers (None: all) answer, and list their tools anew.

        All are asked at once, each within `timeout`. A change of the catalog is told to the
        observer before this returns its state to you, or soon after. A server that the tools
        file does not name is `removed`.
        """
        wanted = list(self._kept.keys() | self._refused.keys()) if servers is None else servers
        found: dict[str, ServerStatus] = {}
        async with anyio.create_task_group() as looks:
            for name in wanted:
                looks.start_soon(self._look, name, timeout.total_seconds(), found)
        return [found[name] for name in sorted(found)]

    async def _look(self, name: str, within: float, found: dict[str, ServerStatus]) -> None:
        kept, problem = self._kept.get(name), self._refused.get(name)
        if kept:
            found[name] = await kept.session.look(within)
        elif problem:
            found[name] = _refusal(problem, name)
        else:
            error = f"no tool server {name!r} in the tools file"
            found[name] = ServerStatus(server=name, state=ServerState.REMOVED, error=error)

    def progress(self) -> Mapping[str, Progress]:
        """What the calls under way told last of how far they are, by their idempotency keys."""
        calls = [call for kept in self._kept.values() for call in kept.session.calls]
        return {call.idempotency_key: call.progress for call in calls if call.progress}

    def specs(self) -> Mapping[str, ToolSpec]:
        """Every tool that servers of the file offer or offered last, by its word in `uses`."""
        sessions = [kept.session for kept in self._kept.values()]
        return {spec.uses: spec for session in sessions for spec in session.catalog.specs}

    def statuses(self) -> list[ServerStatus]:
        """Every server of the file, those with a mistake in their entry included."""
        running = [kept.session.status for kept in self._kept.values()]
        return running + [_refusal(problem, server) for server, problem in self._refused.items()]

    def problems(self) -> tuple[FileProblem, ...]:
        """The mistakes of the tools file as it is now."""
        return self._problems

    async def settled(self, timeout: timedelta) -> bool:  # noqa: ASYNC109 - see call
        """Wait until every server is ready or has failed once; false if it takes longer."""
        with anyio.move_on_after(timeout.total_seconds()):
            while not self._is_settled():
                await self._moved.wait()
        return self._is_settled()

    def _is_settled(self) -> bool:
        states = [kept.session.state for kept in self._kept.values()]
        return self._seen and ServerState.STARTING not in states

    def _absent(self, server: str, uses: str) -> Fault:
        if server in self._refused:
            return not_reachable(server, str(self._refused[server]))
        message = f"no tool server {server!r} in the tools file{did_you_mean(uses, self.specs())}"
        return Fault(kind=FaultKind.UNKNOWN_TOOL, message=message)

    async def _watch(self, tasks: TaskGroup, task_status: TaskStatus[None]) -> None:
        stamp = _stamp(self._path)
        self._apply(read_tools_file(self._path), tasks)
        task_status.started()
        while True:
            await anyio.sleep(LOOK_EVERY)
            if (now := _stamp(self._path)) != stamp:
                stamp = now
                self._apply(read_tools_file(self._path), tasks)

    def _apply(self, file: ToolsFile, tasks: TaskGroup) -> None:
        self._problems = file.problems
        if file.readable:
            self._refuse(file)
            wanted = {config.name: config for config in file.servers}
            for name in self._kept.keys() - wanted.keys():
                self._drop(name)
            for config in wanted.values():
                self._start(config, tasks)
        self._seen = True
        self._moved.ring()

    def _refuse(self, file: ToolsFile) -> None:
        self._refused = {problem.server: problem for problem in file.problems if problem.server}
        for server, problem in self._refused.items():
            self._reports.put(_refusal(problem, server), ())

    def _drop(self, name: str) -> None:
        self._kept.pop(name).scope.cancel()
        if name not in self._refused:
            self._reports.put(ServerStatus(server=name, state=ServerState.REMOVED), ())

    def _start(self, config: ServerConfig, tasks: TaskGroup) -> None:
        before = self._kept.get(config.name)
        if before and before.session.config.digest == config.digest:
            return
        if before:
            before.scope.cancel()
        session = Session(config, self._place, changed=self._on_change, answer=self._answer)
        kept = _Kept(session)
        self._kept[config.name] = kept
        tasks.start_soon(_keep, kept, before)

    def _on_change(self, session: Session) -> None:
        self._moved.ring()
        kept = self._kept.get(session.config.name)
        if kept and kept.session is session:
            self._reports.put(session.status, session.catalog.specs)


async def _keep(kept: _Kept, before: _Kept | None) -> None:
    """Run a session; one that takes another's place waits until that one is gone."""
    try:
        with kept.scope:
            if before:
                await before.gone.wait()
            await kept.session.run()
    finally:
        kept.gone.set()


def _refusal(problem: FileProblem, server: str) -> ServerStatus:
    return ServerStatus(server=server, state=ServerState.FAILED, error=str(problem))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
