"""A tool server that writes down each call of it, when it begins and when it ends.

`LEDGER`: the file that gets a JSON line for each. An argument `mood` says how likely a call is to
be slow (up to `slow_seconds`), to fail, to kill the server or to print junk first; once begun, a
call that is cancelled by its client ends in silence.
"""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256
from random import Random
from typing import Any
from uuid import uuid4

from tests.servers.stdio_rpc import Call, ToolFailed, ToolServer

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
CHANCE = Random()


def note(**line: Any) -> None:
    """One line, in one write: lines of several processes never mix."""
    os.write(LEDGER, (json.dumps({**line, "at": time.time()}) + "\n").encode())


def called(tool: str, call: Call) -> dict[str, Any] | None:
    """Do what the mood makes of it."""
    told = json.dumps(call.arguments, sort_keys=True)
    name, mood = str(uuid4()), call.arguments.get("mood", {})
    note(
        what="began",
        call=name,
        tool=tool,
        key=call.meta.get("ordinaut/idempotency-key"),
        run=call.arguments["run"],
        step=call.arguments["step"],
        digest=sha256(told.encode()).hexdigest(),
    )
    if CHANCE.random() < mood.get("junk", 0):
        server.send_raw("Loading the model … 50 %")
    if CHANCE.random() < mood.get("slow", 0):
        seconds = CHANCE.uniform(0, mood.get("slow_seconds", 1))
        if call.cancelled.wait(seconds):
            return None
    if CHANCE.random() < mood.get("dies", 0):
        os._exit(3)
    if CHANCE.random() < mood.get("fails", 0):
        note(what="ended", call=name, how="failed")
        raise ToolFailed("not today")
    note(what="ended", call=name, how="ok")
    return {"call": name}


def read(call: Call) -> dict[str, Any] | None:
    return called("read", call)


def put(call: Call) -> dict[str, Any] | None:
    return called("put", call)


def write(call: Call) -> dict[str, Any] | None:
    return called("write", call)


server = ToolServer("ledger")
server.tool("read", read, description="Looks.", annotations={"readOnlyHint": True})
server.tool("put", put, description="May be repeated.", annotations={"idempotentHint": True})
server.tool("write", write, description="Says nothing of being repeated.")

if __name__ == "__main__":
    server.serve()
