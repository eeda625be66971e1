"""Inboxes: agents write to one another, and read and acknowledge what they got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from ordinaut_mcp.domain.message import Draft, Message, message_name, message_number, same_message
from ordinaut_mcp.ports import MessageStore
from ordinaut_mcp.services.caller import Caller

FIRST_LOOK = timedelta(milliseconds=50)
SLOWEST_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent; not `made` when an earlier call with its key had sent it."""

    message: Message
    made: bool


@dataclass(frozen=True, slots=True)
class Inbox:
    """What is not acked, the oldest first; `more`: there is more behind it."""

    messages: Sequence[Message]
    more: bool


@dataclass(frozen=True, slots=True)
class Acked:
    """The messages that are acked now, each with when it was first; and what was none."""

    at: Mapping[str, datetime]
    unknown: Sequence[str]


class InboxService:
    """What agents may ask about messages."""

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages

    async def send(self, draft: Draft) -> Sent:
        """Put one message into an inbox; the same key never sends a second one.

        Raises:
            NotFound: there is no such agent.
            Conflict: the key has sent something else.
        """
        message, made = await self._messages.post(draft)
        return Sent(message if made else same_message(message, draft), made)

    async def read(self, caller: Caller, *, limit: int, wait: timedelta) -> Inbox:
        """What the caller has not acked, as soon as there is something, or when the time is up.

        It looks again and again, ever more rarely, and holds no connection in between.
        """
        await self._messages.open_inbox(caller.agent)
        rest = FIRST_LOOK.total_seconds()
        until = anyio.current_time() + wait.total_seconds()
        messages, more = await self._messages.unacked(caller.agent, limit=limit)
        while not messages and anyio.current_time() < until:
            await anyio.sleep(min(rest, max(0.0, until - anyio.current_time())))
            rest = min(rest * 1.5, SLOWEST_LOOK.total_seconds())
            messages, more = await self._messages.unacked(caller.agent, limit=limit)
        return Inbox(messages, more)

    async def ack(self, caller: Caller, references: Sequence[str]) -> Acked:
        """Mark messages as dealt with; what is none of the caller's is told and stays."""
        wanted = list(dict.fromkeys(references))
        numbers = [number for one in wanted if (number := message_number(one)) is not None]
        found = await self._messages.ack(caller.agent, numbers)
        at = {message_name(number): found[number] for number in numbers if number in found}
        return Acked(at, [one for one in wanted if one not in at])
