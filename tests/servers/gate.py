"""A tool server whose calls wait for a gate; it writes down each call when it begins.

`GATE`: the file that opens the gate by being there. `CALLS`: the file that gets one JSON line
for each call.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from stdio_rpc import Call, ToolServer

GATE, CALLS = Path(os.environ["GATE"]), Path(os.environ["CALLS"])
WRITING = threading.Lock()


def note(call: Call, tool: str) -> None:
    line = json.dumps(
        {
            "tool": tool,
            "key": call.meta.get("ordinaut/idempotency-key"),
            "args": call.arguments,
        }
    )
    with WRITING, CALLS.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def wait(call: Call) -> dict[str, Any]:
    """Wait until the gate is open, or until the client has lost interest."""
    note(call, "wait")
    while not GATE.exists() and not call.cancelled.wait(0.02):
        pass
    return {"by": call.arguments.get("by")}


def count(call: Call) -> dict[str, Any]:
    """Answer at once."""
    note(call, "count")
    return {"counted": True}


server = ToolServer("gate")
server.tool("wait", wait, description="Waits for the gate.", annotations={"idempotentHint": True})
server.tool("write", wait, description="Waits for the gate, and is not to be repeated.")
server.tool("count", count, description="Writes its call down.")

if __name__ == "__main__":
    server.serve()
