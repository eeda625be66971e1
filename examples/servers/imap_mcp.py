"""imap-mcp: a small tool server with MADE-UP mail, always the same."""

from __future__ import annotations

from typing import Annotated, TypedDict

from mcp.server import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

server = MCPServer("imap-mcp", instructions="A made-up inbox for examples and tests.")


class Mail(TypedDict):
    """One unread mail."""

    sender: str
    subject: str
    preview: str


class Unread(TypedDict):
    """The most important unread mail; `unread` counts all of it."""

    messages: list[Mail]
    unread: int
    made_up: bool


INBOX = (
    Mail(sender="ana@example.com", subject="Contract", preview="The signed contract is attached."),
    Mail(sender="bank@example.com", subject="Statement", preview="Your statement is ready."),
    Mail(sender="ci@example.com", subject="Build failed", preview="main is red since 06:12."),
    Mail(sender="ion@example.com", subject="Lunch?", preview="Thursday at the usual place?"),
    Mail(sender="post@example.com", subject="Parcel", preview="It arrives between 9 and 11."),
    Mail(sender="news@example.com", subject="This week", preview="Five things to read."),
    Mail(sender="shop@example.com", subject="Sale", preview="Only until Sunday."),
)


@server.tool(title="Top unread mail", annotations=READ_ONLY)
def top_unread(
    count: Annotated[int, Field(ge=1, le=50, description="How many at most.")] = 5,
) -> Unread:
    """Give the most important unread (made-up) mail, most important first."""
    return Unread(messages=list(INBOX[:count]), unread=len(INBOX), made_up=True)


if __name__ == "__main__":
    server.run()
