"""The observer is told everything that still matters, in order, and nothing waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from ordinaut_mcp.bridge import reports
from ordinaut_mcp.bridge.reports import Reports
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolSpec

pytestmark = pytest.mark.anyio


class Observer:
    """Remembers what it was told; fails as often as it is asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.told: list[tuple[str, ServerState]] = []
        self.failures = failures
        self.may_answer = anyio.Event()
        self.asked = anyio.Event()
        self.enough = anyio.Event()

    async def on_catalog(self, server: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        del tools
        self.asked.set()
        await self.may_answer.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        self.told.append((server.server, server.state))
        if server.server == "last":
            self.enough.set()


def status(server: str, state: ServerState = ServerState.READY) -> ServerStatus:
    return ServerStatus(server=server, state=state)


async def test_changes_while_the_observer_is_busy_become_one() -> None:
    observer = Observer()
    waiting = Reports(observer)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waiting.run)
            waiting.put(status("a", ServerState.STARTING), ())
            await observer.asked.wait()
            waiting.put(status("b", ServerState.FAILED), ())
            waiting.put(status("a", ServerState.FAILED), ())
            waiting.put(status("b", ServerState.READY), ())
            waiting.put(status("last"), ())
            observer.may_answer.set()
            await observer.enough.wait()
            tasks.cancel_scope.cancel()

    assert observer.told == [
        ("a", ServerState.STARTING),
        ("a", ServerState.FAILED),
        ("b", ServerState.READY),
        ("last", ServerState.READY),
    ]


async def test_what_could_not_be_told_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "RETRY_SECONDS", 0)
    observer = Observer(failures=3)
    observer.may_answer.set()
    waiting = Reports(observer)
    waiting.put(status("a"), ())
    waiting.put(status("last"), ())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waiting.run)
            await observer.enough.wait()
            tasks.cancel_scope.cancel()

    assert observer.told == [("a", ServerState.READY), ("last", ServerState.READY)]


async def test_without_an_observer_there_is_nothing_to_do() -> None:
    with anyio.fail_after(5):
        await Reports(None).run()
