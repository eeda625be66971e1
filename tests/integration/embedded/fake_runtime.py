"""A runtime that only claims its home, says what it is, and ends when it is asked to.

`python -m tests.integration.embedded.fake_runtime HOME [die | servers]`. Each one notes in the
home whether it became the runtime: a line `claimed PID` or `lost PID` in `claims`.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo, clear_info, write_info
from ordinaut_mcp.embedded.launcher import claim_runtime
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.valkey import EmbeddedValkey


def main(path: str, *wishes: str) -> None:
    home = Home(path)
    if "die" in wishes:
        sys.exit("the fake runtime was told to die")
    asked, asking = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(asking, b"x") and None)
    lock = claim_runtime(home)
    note(home, "lost" if lock is None else "claimed")
    if lock is None:
        return
    info = RuntimeInfo.of_this_process(home, version="0.0.0", roles=["scheduler"])
    write_info(home, info)
    if "servers" in wishes:
        system = home.path.parent / "system"
        info = replace(
            info,
            database_url=EmbeddedPostgres(home, system=system).start(),
            redis_url=EmbeddedValkey(home, system=system).start(),
        )
    write_info(home, info.becoming("ready"))
    os.read(asked, 1)
    write_info(home, info.becoming("stopping"))
    if "servers" in wishes:
        EmbeddedValkey(home).stop()
        EmbeddedPostgres(home).stop()
    clear_info(home, info)
    lock.release()


def note(home: Home, word: str) -> None:
    opened = os.open(home.path / "claims", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(opened, f"{word} {os.getpid()}\n".encode())
    os.close(opened)


def claims(home: Home) -> list[tuple[str, int]]:
    """What the fake runtimes of this home noted."""
    lines = (home.path / "claims").read_text(encoding="utf-8").splitlines()
    return [(word, int(pid)) for word, pid in (line.split() for line in lines)]


def command(home: Home, *wishes: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "tests.integration.embedded.fake_runtime",
        str(home.path),
        *wishes,
    ]


def environment() -> dict[str, str]:
    """Ours, and all that we can import, importable from any folder."""
    return dict(os.environ) | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
