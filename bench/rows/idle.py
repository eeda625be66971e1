"""What the local runtime costs while nothing is due: share of a core, and memory.

The databases are aside: PostgreSQL is the bench's, and Valkey is not one of its children.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path

import psutil
from harness import Finding, Goal, Ground, Spread
from stations import local_runtime, new_home

ROW = "idle"
SETTLE = 5
"""Seconds after the start that are not counted."""
MIB = 1024 * 1024


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """One runtime, watched for half a minute."""
    home, seconds = new_home(ground.server.folder), ground.size(30, 10)
    with ground.server.database() as url, local_runtime(home, url):
        process = psutil.Process(_pid(home))
        time.sleep(SETTLE)
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(seconds)
        share = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
        memory = process.memory_info().rss / MIB
    remark = f"over {seconds} s, no tool servers"
    yield Finding(
        row=ROW, figure="idle local runtime, share of a core", unit="%",
        ours=Spread((share * 100,)), goal=Goal(1, "at most", "ours"), remark=remark,
    )  # fmt: skip
    yield Finding(
        row=ROW, figure="idle local runtime, RSS", unit="MiB", ours=Spread((memory,)),
        goal=Goal(150, "at most", "ours"), remark=remark,
    )  # fmt: skip


def _pid(home: Path) -> int:
    return json.loads((home / "runtime.json").read_text(encoding="utf-8"))["pid"]
