"""Runs one tool server and leaves nothing of it behind. Started as a script, never imported.

    python -I -S guard.py LIFELINE NAMES LIMITS PROGRAM [ARGUMENT …]

The guard stands between us and the tool server: it makes itself the adopter of every orphan
below it (Linux), starts the server in a process group of its own, and then only waits. When
the server ends, or when the other end of the pipe LIFELINE closes because we closed it or
died, it ends all that is left: SIGTERM, a moment, SIGKILL, until it has no descendant. It
imports the standard library alone, and takes no part in what the server reads and writes.

NAMES are the names of the environment that the server gets, joined by `=`: what Python adds
to its own environment while starting is not passed on. LIMITS are `NAME=VALUE` of setrlimit(2),
joined by `,`: `NOFILE=1024,DATA=2147483648`. Besides, what crashes leaves no core file behind: it
could hold secrets.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator

GRACE_SECONDS = 1.5
"""From SIGTERM to SIGKILL."""
LONGEST_SECONDS = 5.0
"""After it the guard gives up on what even SIGKILL does not end."""
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (prctl(2), Linux 3.4)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(names: str, limits: str, program: list[str]) -> int:
    """Start the server in its own process group; it alone keeps our stdin and stdout."""
    environment = {name: os.environ[name] for name in names.split("=") if name}
    pid = os.fork()
    if pid == 0:  # pragma: no cover - seen from outside: coverage ends with exec
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            limit(limits)
            os.execve(program[0], program, environment)  # noqa: S606 - no shell is meant
        except OSError as error:
            os.write(2, f"{program[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return pid


def limit(limits: str) -> None:  # pragma: no cover - in the child, before exec
    """Bound this process and those that it starts; a limit is never raised above ours."""
    for one in ["CORE=0", *filter(None, limits.split(","))]:
        name, _, value = one.partition("=")
        kind = getattr(resource, f"RLIMIT_{name}")
        hardest = resource.getrlimit(kind)[1]
        most = int(value) if hardest == resource.RLIM_INFINITY else min(int(value), hardest)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(kind, (most, most))


def wait(server: int, lifeline: int) -> int | None:
    """Until the server ends (its wait status) or nobody wants it any more (None)."""
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, noticed)
    while True:
        for pid, status in reaped():
            if pid == server:
                return status
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            return None
        if set(os.read(woken, 512)) - {signal.SIGCHLD}:
            return None


def noticed(number: int, frame: object) -> None:
    """Do nothing: that the signal came is what wakes us."""


def reaped() -> Iterator[tuple[int, int]]:
    """The children that have ended: pid and wait status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def end(server: int) -> None:
    """End every descendant, in two steps: SIGTERM once, then SIGKILL as often as it takes."""
    begun = time.monotonic()
    for pid in left_over(server):
        send(pid, signal.SIGTERM)
    while left_over(server):
        waited = time.monotonic() - begun
        if waited > LONGEST_SECONDS:
            return  # pragma: no cover - only what not even SIGKILL ends
        if waited > GRACE_SECONDS:
            for pid in left_over(server):
                send(pid, signal.SIGKILL)
        time.sleep(0.01)
        list(reaped())
    list(reaped())


def left_over(server: int) -> set[int]:
    """What must still be ended: descendants, or the group where they cannot be listed."""
    if sys.platform == "linux":
        return descendants()
    return {-server} if group_lives(server) else set()  # pragma: no cover - not on Linux


def group_lives(group: int) -> bool:  # pragma: no cover - not on Linux
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of zombies too
        return True
    return True


def send(pid: int, number: int) -> None:
    """Signal a process, or with a negative pid its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def descendants() -> set[int]:
    """Every living process below this one."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found, rest = set[int](), [os.getpid()]
    while rest:
        below = children.get(rest.pop(), [])
        found.update(below)
        rest.extend(below)
    return found


def processes() -> Iterator[tuple[int, int]]:
    """Each process that is no zombie, with its parent."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in {b"Z", b"X"}:
            yield int(name), int(parent)


def main() -> int:
    lifeline, names, limits, program = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    os.set_inheritable(lifeline, False)
    adopt_orphans()
    server = start(names, limits, program)
    status = wait(server, lifeline)
    end(server)
    if status is None:
        return 0
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
