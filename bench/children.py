"""Processes of their own: our runtime, a stdio server's environment, the peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
ROOT = HERE.parent
GRACE = 20.0
"""Seconds that a child may take to end before it is killed."""
POLL = 0.01

T = TypeVar("T")


def environment(home: Path, **settings: str) -> dict[str, str]:
    """This machine's environment, with no settings of Ordinaut but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDINAUT_")}
    ours = {"home": str(home), "timezone": "UTC", **settings}
    return {**kept, **{f"ORDINAUT_{name.upper()}": value for name, value in ours.items()}}


@dataclass(frozen=True, slots=True)
class Child:
    """A process that we started, and where its stderr goes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raise with its last words when it is gone."""
        if (code := self.process.poll()) is not None:
            raise RuntimeError(f"the process ended with {code}: {tail(self.log)}")

    def told(self) -> dict[str, Any]:
        """Its next JSON line."""
        line = self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            self.process.wait(GRACE)
            self.check()
        return json.loads(line)


@contextmanager
def child(
    words: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path = ROOT
) -> Generator[Child, None, None]:
    """A process that is ended with the block; stdout is a pipe, stderr goes to the log."""
    with log.open("ab") as stderr:
        started = subprocess.Popen(  # noqa: S603 — our own commands
            words, env=dict(env), cwd=cwd, stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        yield Child(started, log)
    finally:
        end(started)


@contextmanager
def runtime(
    url: str, home: Path, *, roles: str = "worker", **settings: str
) -> Generator[Child, None, None]:
    """Our runtime with these roles as one process, as `ordinaut-mcp runtime` starts it."""
    home.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "ordinaut_mcp", "runtime", "--roles", roles]
    env = environment(home, database_url=url, **settings)
    with child(words, env=env, log=home / "bench.log") as started:
        yield started


def end(started: subprocess.Popen[bytes]) -> None:
    """Ask it to end; kill it when it does not."""
    if started.poll() is None:
        started.terminate()
        try:
            started.wait(GRACE)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
    if started.stdout is not None:
        started.stdout.close()


def command(words: Sequence[str], env: Mapping[str, str], *, seconds: float = 120) -> str:
    """Run one of our commands to its end; what it said."""
    done = subprocess.run(  # noqa: S603 — our own commands
        [sys.executable, "-m", "ordinaut_mcp", *words],
        env=dict(env),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-400:]}")
    return done.stdout


def until(
    look: Callable[[], T | None], *, seconds: float, every: float = POLL, what: str = "it"
) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(every)
    return found


def living(child_of_ours: Child, look: Callable[[], T | None]) -> Callable[[], T | None]:
    """The same look, that fails at once when the process is gone."""

    def both() -> T | None:
        child_of_ours.check()
        return look()

    return both


def tail(log: Path) -> str:
    """The last line of a log that tells something."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else ""
