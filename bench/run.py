"""Ours beside the peers, in one run on one PostgreSQL: `python bench/run.py [row …]`.

Without names every row is measured. A whole run that is not quick writes bench/RESULTS.md; any
other only prints, unless `--out` names a file. A row that fails is told of and ends no other.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import report
from harness import Finding, Ground
from server import one_server

RESULTS = Path(__file__).parent / "RESULTS.md"
ROWS = (
    "next_occurrence", "drain", "tool_drain", "fifty_steps", "lateness", "burst", "tick",
    "schedulers", "answering", "lists", "recovery", "startup", "idle", "hot_table", "memory",
)  # fmt: skip
FULL_SECONDS, QUICK_SECONDS = 900, 170
"""When a row is given up."""


def main() -> int:
    asked = arguments()
    chosen = asked.row or list(ROWS)
    is_whole = set(chosen) == set(ROWS) and not asked.quick
    out: Path | None = asked.out or (RESULTS if is_whole else None)
    rounds: int = asked.rounds or (2 if asked.quick else 10)
    found = list[Finding]()
    with one_server() as server:
        ground = Ground(server=server, rounds=rounds, quick=asked.quick)
        circumstances = report.Circumstances(
            postgres=server.version(), rounds=rounds, quick=asked.quick, began=datetime.now(UTC)
        )
        for name in chosen:
            for finding in measured(name, ground):
                found.append(finding)
                print(report.line(finding), flush=True)
            if out is not None:
                report.write(out, found, circumstances)
    print(f"\n{report.table(found)}")
    print(f"\nwritten to {out}" if out else "\nnothing written: not whole, or quick")
    return 0


def arguments() -> Any:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", nargs="*", choices=[[], *ROWS], help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, help="rounds for each ratio: 10, quick 2")
    parser.add_argument("--quick", action="store_true", help="see that it works, conclude nothing")
    parser.add_argument("--out", type=Path, help="where the results go")
    return parser.parse_args()


def measured(name: str, ground: Ground) -> Generator[Finding, None, None]:
    """The findings of one row; what ends it early is its last finding."""
    began = time.monotonic()
    try:
        with within(ground.size(FULL_SECONDS, QUICK_SECONDS)):
            yield from import_module(f"rows.{name}").measure(ground)
    except Exception as error:  # noqa: BLE001 — the table tells of it, the other rows go on
        yield Finding(row=name, figure="the row", failure=reason(error))
    print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


@contextmanager
def within(seconds: int) -> Generator[None, None, None]:
    """Raise TimeoutError in the block when it takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"given up after {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def reason(error: BaseException) -> str:
    """The innermost of a group, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


if __name__ == "__main__":
    sys.exit(main())
