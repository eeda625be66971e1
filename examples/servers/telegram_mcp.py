"""telegram-mcp: a small tool server that sends nothing: it appends each message to a file.

The file is `TELEGRAM_OUTBOX`, else `outbox.jsonl` in a folder of its own under the system's
temporary folder; the answer says which. A message that comes twice with one idempotency key (a
retry) is written once: this is how a tool server makes good use of Ordinaut's key.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, TypedDict

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from pydantic import Field

SENDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
KEY = "ordinaut/idempotency-key"

server = MCPServer("telegram-mcp", instructions="Writes messages to a file for examples and tests.")


class Sent(TypedDict):
    """Where the message went; `repeated` when it had been sent before with this key."""

    message_id: int
    chat_id: int
    outbox: str
    repeated: bool


@server.tool(title="Send a message", annotations=SENDS)
def send_message(
    chat_id: Annotated[int, Field(description="The chat that gets it.")],
    text: Annotated[str, Field(min_length=1, max_length=4096)],
    ctx: Context[Any],
) -> Sent:
    """Send a text to a chat (here: append it to the outbox file)."""
    path = outbox()
    key = (ctx.request_context.meta or {}).get(KEY)
    known = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, message in enumerate(known, start=1):
        if key is not None and message["key"] == key:
            return Sent(message_id=number, chat_id=chat_id, outbox=str(path), repeated=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"chat_id": chat_id, "text": text, "key": key}) + "\n")
    return Sent(message_id=len(known) + 1, chat_id=chat_id, outbox=str(path), repeated=False)


def outbox() -> Path:
    """The file for messages; it exists afterwards, and is for its owner's eyes only."""
    named = os.environ.get("TELEGRAM_OUTBOX")
    user = os.environ.get("USER") or os.environ.get("USERNAME") or "user"
    path = (
        Path(named) if named else Path(tempfile.gettempdir()) / f"telegram-mcp-{user}/outbox.jsonl"
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return path


if __name__ == "__main__":
    server.run()
