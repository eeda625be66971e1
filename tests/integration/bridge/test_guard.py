"""The guard as a process: it ends what it started, whoever lets go first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ordinaut_mcp.bridge.child import GUARD
from tests.integration.bridge.running import lives

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="POSIX starts servers under a guard"
)

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getppid(), os.getpid(), flush=True)
        time.sleep(600)
    time.sleep(600)
{then}
"""


@dataclass
class Guarded:
    """A running guard, with our end of its lifeline."""

    process: subprocess.Popen[bytes]
    lifeline: int

    def let_go(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
        self.lifeline = -1

    def pids(self) -> list[int]:
        assert self.process.stdout is not None
        return [int(pid) for pid in self.process.stdout.readline().split()]


@contextmanager
def guarded(
    program: Sequence[str], environment: str = "PATH", limits: str = ""
) -> Generator[Guarded]:
    ours, theirs = os.pipe()
    command = [sys.executable, str(GUARD), str(ours), environment, limits, *program]
    with subprocess.Popen(
        command, pass_fds=(ours,), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        os.close(ours)
        running = Guarded(process, theirs)
        try:
            yield running
        finally:
            running.let_go()


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_code_is_that_of_the_server(code: int) -> None:
    with guarded(python(f"raise SystemExit({code})")) as running:
        assert running.process.wait(20) == code


def test_a_server_that_a_signal_ended_gives_128_and_its_number() -> None:
    with guarded(python("import os; os.kill(os.getpid(), 9)")) as running:
        assert running.process.wait(20) == 128 + 9


def test_a_program_that_cannot_be_started_gives_127() -> None:
    with guarded(["/no/such/program"]) as running:
        assert running.process.wait(20) == 127


def test_the_server_gets_the_named_environment_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIVEN", "yes")
    monkeypatch.setenv("HIDDEN", "no")
    code = "import os; print(os.environ.get('GIVEN'), os.environ.get('HIDDEN'))"
    with guarded(python(code), "PATH=GIVEN") as running:
        assert running.process.communicate(timeout=20)[0] == b"yes None\n"


def test_the_server_alone_holds_stdin_and_stdout() -> None:
    """Closing our end of stdin ends a server that reads to the end, and its guard with it."""
    with guarded(python("import sys; sys.stdout.write(sys.stdin.read().upper())")) as running:
        assert running.process.communicate(b"text", timeout=20)[0] == b"TEXT"
        assert running.process.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
@pytest.mark.parametrize("way", ["lifeline", "signal"])
def test_letting_go_ends_what_ignores_sigterm_and_left_the_session(way: str) -> None:
    with guarded(python(STUBBORN.format(then="time.sleep(600)"))) as running:
        pids = running.pids()
        assert [lives(pid) for pid in pids] == [True, True]
        if way == "lifeline":
            running.let_go()
        else:
            running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        assert [lives(pid) for pid in pids] == [False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_what_a_server_left_behind_ends_with_it() -> None:
    with guarded(python(STUBBORN.format(then="sys.exit(4)"))) as running:
        pids = running.pids()
        assert running.process.wait(20) == 4
        assert [lives(pid) for pid in pids] == [False, False]


def test_the_limits_hold_for_the_server_and_not_for_the_guard() -> None:
    code = (
        "import resource as r; "
        "print([r.getrlimit(k) for k in (r.RLIMIT_NOFILE, r.RLIMIT_CORE, r.RLIMIT_CPU)])"
    )
    with guarded(python(code), limits="NOFILE=99,CPU=1000") as running:
        seen = running.process.communicate(timeout=20)[0].decode()
    assert seen == "[(99, 99), (0, 0), (1000, 1000)]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold back memory")
def test_a_server_gets_no_more_memory_than_its_limit() -> None:
    code = (
        "import sys\n"
        "try: print(len(bytearray(900 << 20)))\n"
        "except MemoryError: print(len(bytearray(90 << 20)))"
    )
    with guarded(python(code), limits=f"DATA={512 << 20}") as running:
        assert running.process.communicate(timeout=20)[0] == b"94371840\n"


def test_a_limit_is_never_raised_above_ours() -> None:
    import resource

    hardest = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE)[1])"
    with guarded(python(code), limits=f"NOFILE={hardest * 2}") as running:
        assert int(running.process.communicate(timeout=20)[0]) == hardest
