"""A process id means only the one that it was written down for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordinaut_mcp.embedded import pids
from ordinaut_mcp.embedded.pids import (
    account_id,
    birth_mark,
    command_line,
    send,
    wait_gone,
    wait_until,
)
from ordinaut_mcp.errors import NotAllowed

NONE = 2**22 + 1  # above the highest id that Linux or macOS gives


@pytest.fixture(params=["proc", "ps"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux has /proc, macOS only ps."""
    if request.param == "ps":
        monkeypatch.setattr(pids, "PROC", Path("/nowhere"))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as started:
        yield started
        started.kill()


@pytest.mark.usefixtures("_each_way")
def test_a_living_one_has_a_mark_a_command_and_an_account(
    sleeper: subprocess.Popen[bytes],
) -> None:
    assert birth_mark(sleeper.pid) is not None
    assert birth_mark(sleeper.pid) == birth_mark(sleeper.pid)
    assert command_line(sleeper.pid).replace("\0", " ").strip() == "/bin/sleep 60"
    assert account_id(sleeper.pid) == os.geteuid()


@pytest.mark.usefixtures("_each_way")
def test_a_dead_one_has_nothing() -> None:
    assert birth_mark(NONE) is None
    assert command_line(NONE) == ""
    assert account_id(NONE) is None


@pytest.mark.usefixtures("_each_way")
def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    mark = birth_mark(sleeper.pid)
    assert mark is not None
    sleeper.kill()  # and nobody waits for it yet

    assert wait_gone(sleeper.pid, mark, seconds=10)
    assert birth_mark(sleeper.pid) is None


@pytest.mark.parametrize("pid", [0, -1])
def test_a_number_that_is_no_process_id_is_nobody(pid: int) -> None:
    assert birth_mark(pid) is None


def test_without_proc_and_ps_nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_ps(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(pids, "PROC", Path("/nowhere"))
    monkeypatch.setattr(subprocess, "run", no_ps)
    assert birth_mark(os.getpid()) is None


@pytest.mark.parametrize("pidfds", [True, False])
def test_a_signal_reaches_only_the_one_that_is_meant(
    pidfds: bool,
    sleeper: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not pidfds and sys.platform == "linux":

        def forbidden(pid: int) -> int:
            raise PermissionError(pid)

        monkeypatch.setattr(os, "pidfd_open", forbidden)
    mark = birth_mark(sleeper.pid)
    assert mark is not None

    assert not send(sleeper.pid, "the mark of an earlier one", signal.SIGTERM)
    assert birth_mark(sleeper.pid) == mark
    assert send(sleeper.pid, mark, signal.SIGTERM)
    assert sleeper.wait(timeout=10) == -signal.SIGTERM
    assert not send(sleeper.pid, mark, signal.SIGTERM)


@pytest.mark.parametrize(
    ("refusal", "answer"), [(ProcessLookupError, False), (PermissionError, None)]
)
def test_a_signal_that_the_system_refuses_is_told(
    refusal: type[OSError],
    answer: bool | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(signal, "pidfd_send_signal", refused, raising=False)
    monkeypatch.setattr(os, "kill", refused)
    mark = birth_mark(os.getpid())
    assert mark is not None
    if answer is None:
        with pytest.raises(NotAllowed, match="belongs to another account"):
            send(os.getpid(), mark, signal.SIGTERM)
    else:
        assert send(os.getpid(), mark, signal.SIGTERM) is answer


def test_waiting_is_bounded() -> None:
    assert wait_until(lambda: True, seconds=0)
    assert not wait_until(lambda: False, seconds=0.02)
