"""One system in a process of its own: `python -m peers.child NAME URL RUNS OPTION`.

It installs its schema, adds the runs, and works until it is ended; on stdout it says, as JSON
lines, how long adding took and at which monotonic second the first run began.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from typing import Any


class Begun:
    """Call it in every run; it tells of the first one only."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self) -> None:
        if not self._told:
            self._told = True
            say(first=time.monotonic())


def say(**facts: Any) -> None:
    """One JSON line for whoever started this process."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    name, url, runs, option = sys.argv[1:5]
    system = import_module(f"peers.{name}")
    system.install(url)
    began = time.monotonic()
    system.add(url, int(runs))
    say(added=time.monotonic() - began)
    system.work(url, Begun(), option)


if __name__ == "__main__":
    main()
