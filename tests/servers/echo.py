"""An ordinary tool server: every tool does what it says.

`COUNT_FILE`: the file to which `count` appends one JSON line for each call.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from stdio_rpc import Call, ToolFailed, ToolServer

READ_ONLY = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}


def takes(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """A schema that takes these properties and nothing else."""
    needed = list(required or properties)
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }


def say(call: Call) -> dict[str, Any]:
    return {"text": call.arguments["text"]}


def add(call: Call) -> dict[str, Any]:
    return {"sum": call.arguments["a"] + call.arguments["b"]}


def count(call: Call) -> dict[str, Any]:
    if "COUNT_FILE" not in os.environ:
        raise ToolFailed("count needs COUNT_FILE in its environment")
    path = Path(os.environ["COUNT_FILE"])
    key = call.meta.get("ordinaut/idempotency-key")
    with COUNTING, path.open("a+", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "args": call.arguments}) + "\n")
        file.seek(0)
        return {"n": len(file.readlines())}


def fail(call: Call) -> dict[str, Any]:
    raise ToolFailed(call.arguments.get("text", "it went wrong"))


def sleep(call: Call) -> dict[str, Any] | None:
    if call.cancelled.wait(call.arguments["seconds"]):
        sys.stderr.write("sleep was cancelled\n")
        return None
    return {"slept": call.arguments["seconds"]}


def crawl(call: Call) -> None:
    """Tell of some progress, and never end."""
    server.progress(call, 1)
    server.progress(call, 3, total=10, message="copying\nletters")
    call.cancelled.wait(60)


def die(call: Call) -> dict[str, Any]:
    sys.stderr.write("dying as asked\n")
    sys.stderr.flush()
    os._exit(call.arguments.get("code", 3))


def eat(call: Call) -> dict[str, Any]:
    """Take so much memory for a moment."""
    try:
        eaten = bytearray(call.arguments["mb"] << 20)
    except MemoryError:
        raise ToolFailed("MemoryError") from None
    return {"eaten": len(eaten) >> 20}


def environment(call: Call) -> dict[str, Any]:
    del call
    return {"names": sorted(os.environ), "pid": os.getpid(), "cwd": str(Path.cwd())}


def cancelled(call: Call) -> dict[str, Any]:
    del call
    return {"cancelled": server.cancelled}


def text_only(call: Call) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text} for text in call.arguments["texts"]]}


def grow(call: Call) -> dict[str, Any]:
    """Offer one more tool, and tell so."""
    server.tool(call.arguments["name"], say, inputSchema=takes(text=STRING))
    server.tools_changed()
    return {"tools": len(server.tools)}


COUNTING = threading.Lock()
STRING, NUMBER = {"type": "string"}, {"type": "number"}

server = ToolServer("echo")
server.tool(
    "say",
    say,
    description="Gives back the text.",
    inputSchema=takes(text=STRING),
    outputSchema=takes(text=STRING),
    annotations=READ_ONLY,
)
server.tool(
    "add",
    add,
    description="The sum of two numbers.",
    inputSchema=takes(a=NUMBER, b=NUMBER),
    outputSchema=takes(sum=NUMBER),
    annotations=READ_ONLY,
)
server.tool(
    "count",
    count,
    description="Appends the idempotency key and the arguments to COUNT_FILE.",
    annotations={"destructiveHint": False},
)
server.tool("fail", fail, description="Fails.", annotations=READ_ONLY)
server.tool("sleep", sleep, description="Sleeps.", inputSchema=takes(seconds=NUMBER))
server.tool("crawl", crawl, description="Tells progress and never ends.")
server.tool("eat", eat, description="Takes memory.", inputSchema=takes(mb=NUMBER))
server.tool("die", die, description="Ends the process in the middle of the call.")
server.tool("cancelled", cancelled, description="How many calls were.", annotations=READ_ONLY)
server.tool("environment", environment, description="What the process sees.", annotations=READ_ONLY)
server.tool("text_only", text_only, description="Text without structure.", annotations=READ_ONLY)
server.tool("grow", grow, description="Offers one more tool.", inputSchema=takes(name=STRING))

if __name__ == "__main__":
    server.serve()
