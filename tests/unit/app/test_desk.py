"""The desk of the stdio server: how it finds the runtime, and what it says when it cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import anyio
import pytest

from ordinaut_mcp import __version__
from ordinaut_mcp.app import desk, local
from ordinaut_mcp.app.desk import LocalDesk, local_desk
from ordinaut_mcp.config import Settings, load_settings
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo
from ordinaut_mcp.errors import Unavailable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_environment")]
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path)


Found = Callable[[Settings], RuntimeInfo]


def living(database: str, *, version: str = __version__) -> Found:
    """A runtime of this version is found in every home."""

    def found(settings: Settings) -> RuntimeInfo:
        info = RuntimeInfo.of_this_process(Home(settings.home), version=version)
        return replace(info, state="ready", database_url=database)

    return found


@pytest.fixture
def never_ready(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """A runtime that takes longer than anybody waits."""
    end = Event()

    def start(_: Settings) -> None:
        end.wait(30)

    monkeypatch.setattr(local, "find_or_start", start)
    monkeypatch.setattr(desk, "WAIT", timedelta(milliseconds=50))
    yield
    end.set()


async def test_who_asks_is_the_agent_of_the_settings(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        own = LocalDesk(settings.model_copy(update={"agent": "me", "timezone": "UTC"}), stack)
        assert (own.caller.agent, own.default_timezone) == ("me", "UTC")


@pytest.mark.usefixtures("never_ready")
async def test_a_call_does_not_wait_for_ever_for_the_runtime(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        with anyio.fail_after(10), pytest.raises(Unavailable) as caught:
            await LocalDesk(settings, stack).services()
    assert "still starting; nothing was stored" in caught.value.message
    assert caught.value.retry_after == 5


async def test_the_pool_to_a_runtime_is_opened_once(
    settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "found", living(database))
    async with AsyncExitStack() as stack:
        own = LocalDesk(settings, stack)
        first = await own.services()
        assert await own.services() is first
        assert (await first.status.get(own.caller)).healthy is False


async def test_a_runtime_of_another_version_is_told_in_the_log(
    settings: Settings,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(local, "found", living(database, version="0.0.1"))
    async with AsyncExitStack() as stack:
        with caplog.at_level(logging.WARNING):
            await LocalDesk(settings, stack).services()
    assert f"runtime 0.0.1 is running, this is {__version__}" in caplog.text


async def test_a_database_that_does_not_answer_starts_no_runtime(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Settings] = []
    monkeypatch.setattr(local, "find_or_start", started.append)
    monkeypatch.setattr("ordinaut_mcp.store.pool.WAIT_SECONDS", 0.2)
    named = settings.model_copy(update={"database_url": NOWHERE})
    async with AsyncExitStack() as stack:
        with anyio.fail_after(20), pytest.raises(Unavailable) as caught:
            await LocalDesk(named, stack).services()
    assert caught.value.message == "The database is not reachable; nothing was stored."
    assert started == []


async def test_a_runtime_that_cannot_start_is_a_warning_and_no_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(_: Settings) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(local, "start", refused)
    async with AsyncExitStack() as stack:
        with caplog.at_level(logging.WARNING):
            await LocalDesk(settings, stack).wake()
    assert "the runtime was not started: the disk is full" in caplog.text


async def test_a_session_does_not_wait_for_the_runtime_it_wakes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Event()
    woken = anyio.Event()

    def slow(_: Settings) -> None:
        anyio.from_thread.run_sync(woken.set)
        end.wait(30)

    monkeypatch.setattr(local, "start", slow)
    with anyio.fail_after(10):
        async with local_desk(settings) as own:
            await woken.wait()
            assert own.caller.agent == "local"
    end.set()
