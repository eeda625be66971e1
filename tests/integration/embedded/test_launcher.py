"""One detached runtime for each home, proved with real ones that do nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import read_info
from ordinaut_mcp.embedded.launcher import (
    claim_runtime,
    ensure_runtime,
    stop_leftovers,
    stop_runtime,
    wait_ready,
)
from ordinaut_mcp.embedded.lock import FileLock, holder
from ordinaut_mcp.embedded.pids import PROC, birth_mark, send, wait_gone, wait_until
from ordinaut_mcp.embedded.place import known_folder
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.errors import Conflict, Unavailable
from tests.integration.embedded.fake_runtime import claims, command, environment
from tests.integration.embedded.psql import answer, written_pid

CALLER = """
import sys
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.launcher import ensure_runtime, wait_ready
from tests.integration.embedded.fake_runtime import command, environment
home = Home(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
ensure_runtime(home, command=command(home), environment=environment())
print(wait_ready(home, seconds=30).pid)
"""


@pytest.fixture
def callers(home: Home) -> Iterator[list[subprocess.Popen[str]]]:
    """Ten processes that wait for a line and then each want a runtime."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CALLER, str(home.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(10)
    ]
    yield started
    for caller in started:
        caller.kill()
        caller.communicate()


def bring_up(home: Home, *wishes: str) -> None:
    ensure_runtime(home, command=command(home, *wishes), environment=environment())


def kill_at_once(pid: int) -> None:
    mark = birth_mark(pid)
    assert mark is not None
    send(pid, mark, signal.SIGKILL)
    assert wait_gone(pid, mark, seconds=10)


def ignore(number: int, frame: FrameType | None) -> None:
    """A SIGTERM that this process lives through."""


def test_ten_callers_at_the_same_moment_end_with_one_runtime(
    home: Home, callers: list[subprocess.Popen[str]]
) -> None:
    for caller in callers:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "here\n"
    with ThreadPoolExecutor(10) as threads:
        asked = [threads.submit(caller.communicate, "go\n", timeout=60) for caller in callers]
        said = [heard.result()[0] for heard in asked]

    assert len(set(said)) == 1
    assert [word for word, _ in claims(home)].count("claimed") == 1
    assert claims(home)[0] == ("claimed", int(said[0]))


def test_runtimes_that_are_started_side_by_side_leave_one_alive(home: Home) -> None:
    home.prepare()
    rivals = [subprocess.Popen(command(home), env=environment()) for _ in range(4)]
    winner = wait_ready(home, seconds=30).pid

    for rival in rivals:
        if rival.pid != winner:
            assert rival.wait(timeout=30) == 0
    assert sorted(word for word, _ in claims(home)) == ["claimed", "lost", "lost", "lost"]
    assert stop_runtime(home)
    assert [rival.wait(timeout=30) for rival in rivals] == [0, 0, 0, 0]


def test_a_runtime_that_lives_is_left_as_it_is(home: Home) -> None:
    bring_up(home)
    first = wait_ready(home)
    bring_up(home)

    assert wait_ready(home) == first
    assert len(claims(home)) == 1


def test_the_runtime_is_detached_and_gets_only_what_it_was_given(home: Home) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # even that one must not reach it
    ours = os.fstat(writing)
    try:
        bring_up(home)
        pid = wait_ready(home).pid
    finally:
        os.close(reading)
        os.close(writing)

    assert os.getsid(pid) == pid != os.getsid(0)
    if PROC.exists():
        given = list((PROC / str(pid) / "fd").iterdir())
        assert not [link for link in given if os.path.samestat(link.stat(), ours)]
        named = {link.name: str(link.readlink()) for link in given}
        assert named["0"] == "/dev/null"
        assert named["1"] == named["2"] == str(home.runtime_log)
        assert (PROC / str(pid) / "cwd").readlink() == home.path


def test_a_stopped_runtime_lets_the_next_one_in(home: Home) -> None:
    bring_up(home)
    first = wait_ready(home).pid
    assert stop_runtime(home)
    assert read_info(home) is None
    assert not stop_runtime(home)

    bring_up(home)
    assert wait_ready(home).pid != first


def test_a_killed_runtime_lets_the_next_one_in(home: Home) -> None:
    bring_up(home)
    first = wait_ready(home).pid
    kill_at_once(first)
    assert read_info(home) is None
    assert holder(home.lock_file) is None

    bring_up(home)
    assert wait_ready(home).pid != first


def test_a_killed_runtimes_servers_are_adopted_by_the_next_one(home: Home) -> None:
    bring_up(home, "servers")
    first = wait_ready(home)
    assert first.database_url is not None
    answer(first.database_url, "CREATE TABLE kept AS SELECT 42 AS number")
    postmaster = written_pid(known_folder(home) / "postgres")
    kill_at_once(first.pid)

    bring_up(home, "servers")
    second = wait_ready(home)

    assert second.pid != first.pid
    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
    assert written_pid(known_folder(home) / "postgres") == postmaster
    assert answer(first.database_url, "SELECT number FROM kept") == "42"


def test_a_killed_runtimes_servers_can_be_stopped_and_a_living_ones_not(home: Home) -> None:
    bring_up(home, "servers")
    pid = wait_ready(home).pid
    with pytest.raises(Conflict, match="the runtime lives"):
        stop_leftovers(home)
    kill_at_once(pid)

    assert stop_leftovers(home) == ["valkey", "postgres"]
    assert not EmbeddedPostgres(home).running()
    assert not EmbeddedValkey(home).running()
    assert stop_leftovers(home) == []


def test_a_runtime_that_dies_at_its_start_is_told_with_the_end_of_its_log(home: Home) -> None:
    bring_up(home, "die")

    with pytest.raises(Unavailable, match="the fake runtime was told to die"):
        wait_ready(home)


def test_waiting_for_a_runtime_that_nobody_started_ends_soon(home: Home) -> None:
    with pytest.raises(Unavailable, match="is not running"):
        wait_ready(home)


def test_waiting_for_one_that_never_gets_ready_is_bounded(home: Home) -> None:
    home.prepare()
    with FileLock(home.lock_file) as lock:
        assert lock.acquire()
        with pytest.raises(Unavailable, match="not ready after 0 s"):
            wait_ready(home, seconds=0.1)


def test_a_command_that_does_not_exist_is_told(home: Home) -> None:
    with pytest.raises(Unavailable, match="no-such-program could not be started"):
        ensure_runtime(home, command=["/no-such-program"], environment={})


def test_a_log_that_has_grown_large_is_set_aside(home: Home) -> None:
    home.prepare()
    home.runtime_log.write_bytes(b"old\n" * 2_000_000)
    bring_up(home)
    wait_ready(home)

    assert home.runtime_log.stat().st_size < 1_000_000
    assert (home.logs / "runtime.log.1").read_bytes().startswith(b"old\n")


def test_a_runtime_that_does_not_end_in_time_is_told_and_not_killed(home: Home) -> None:
    home.prepare()
    with FileLock(home.lock_file) as lock:
        assert lock.acquire()
        ours = holder(home.lock_file)
        previous = signal.signal(signal.SIGTERM, ignore)
        try:
            with pytest.raises(Unavailable, match="still finishing its work"):
                stop_runtime(home, seconds=0.1)
        finally:
            signal.signal(signal.SIGTERM, previous)
    assert ours == (os.getpid(), birth_mark(os.getpid()))


def test_a_stopping_runtime_is_followed_by_the_one_that_was_asked_for(home: Home) -> None:
    """The next one is started at once and waits inside its claim."""
    bring_up(home, "servers")
    first = wait_ready(home)
    os.kill(first.pid, signal.SIGTERM)
    assert wait_until(
        lambda: (info := read_info(home)) is None or info.state == "stopping", seconds=10
    )
    for _ in range(3):
        bring_up(home)

    second = wait_ready(home)
    assert second.pid != first.pid
    assert claims(home) == [("claimed", first.pid), ("claimed", second.pid)]


def test_a_claim_waits_no_longer_than_it_must_for_a_silent_holder(home: Home) -> None:
    home.prepare()
    with FileLock(home.lock_file) as lock:
        assert lock.acquire()
        assert claim_runtime(home) is None
    after = claim_runtime(home)
    assert after is not None
    after.release()


def test_a_claim_is_given_up_when_the_stopping_one_does_not_end(home: Home, tmp_path: Path) -> None:
    bring_up(home)
    info = wait_ready(home)
    home.info_file.write_text(
        home.info_file.read_text().replace('"state": "ready"', '"state": "stopping"')
    )

    assert claim_runtime(home, patience=0.1) is None
    assert read_info(home) == info.becoming("stopping")
