"""The main job, carried out for somebody to watch.

An agent's client schedules over stdio and is closed; the run happens with no client open; a
second client looks it up. Everything is real: the runtime, its PostgreSQL, the tool server.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio

from ordinaut_mcp.bridge.visitor import Visit, visiting
from ordinaut_mcp.config import process_environment
from ordinaut_mcp.errors import NotAvailable

Say = Callable[[str], None]

DUE_IN = 4
PIPELINE: list[dict[str, Any]] = [
    {
        "id": "clock",
        "uses": "time.get_current_time",
        "with": {"timezone": "${params.zone}"},
    },
    {
        "id": "note",
        "uses": "value.set",
        "with": {"value": "In ${steps.clock.timezone} it was ${steps.clock.datetime}."},
    },
]


async def demonstrate(home: Path, say: Say) -> dict[str, Any]:
    """The run as it was looked up afterwards; every moment is told through `say`.

    Raises:
        NotAvailable: there is no mcp-server-time on this machine.
    """
    _prepare(home)
    server = [sys.executable, "-m", "ordinaut_mcp", "serve"]
    environment = {**process_environment(), "ORDINAUT_HOME": str(home)}
    say("1. A client opens a session over stdio and schedules.")
    async with visiting(server, environment) as visit:
        saved = await visit.call(
            "schedule_task",
            {
                "title": "Note the time",
                "schedule_expr": f"in {DUE_IN} seconds",
                "params": {"zone": "Europe/Chisinau"},
                "pipeline": PIPELINE,
            },
        )
    say(f"   {saved['says']}")
    say("2. The client is closed. Nobody is connected now.")
    await anyio.sleep(DUE_IN + 1)
    say("3. A new client connects and looks.")
    async with visiting(server, environment) as visit:
        return await _looked_up(visit, saved["task"]["id"])


async def _looked_up(visit: Visit, task: str) -> dict[str, Any]:
    with anyio.fail_after(30):
        while True:
            runs = (await visit.call("list_runs", {"task": task}))["runs"]
            if runs and runs[0]["state"] in {"succeeded", "failed"}:
                return (await visit.call("get_run", {"run": runs[0]["id"]}))["run"]
            await anyio.sleep(0.2)


def in_words(run: dict[str, Any], home: Path) -> str:
    """The run for a person: steps, outputs, lateness, where the data is."""
    lines = [f"   {run['id']} {run['state']}, started {run['lateness_ms']} ms after it was due."]
    for step in run["steps"]:
        shown = json.dumps(step["output"], ensure_ascii=False)
        lines.append(f"   step {step['id']} ({step['uses']}): {step['state']} → {shown}")
    lines.append(f"   The data is in {home}.")
    return "\n".join(lines)


def _prepare(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    command, *args = _time_server()
    servers = {"mcpServers": {"time": {"command": command, "args": args}}}
    (home / "tools.json").write_text(json.dumps(servers, indent=2) + "\n", encoding="utf-8")


def _time_server() -> Sequence[str]:
    if find_spec("mcp_server_time"):
        return [sys.executable, "-m", "mcp_server_time"]
    if uvx := shutil.which("uvx"):
        return [uvx, "mcp-server-time"]
    raise NotAvailable(
        "The demo calls mcp-server-time, which is not installed here.",
        hint="pip install mcp-server-time, then run the demo again.",
    )
