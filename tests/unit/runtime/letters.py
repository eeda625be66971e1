"""Inboxes and events in memory: the promises of the ports, without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import anyio

from ordinaut_mcp.domain.event import Event, EventDraft, EventId
from ordinaut_mcp.domain.message import Draft, Message, MessageId, no_such_agent
from ordinaut_mcp.ports import EventFilter

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class MemoryMessages:
    """The `MessageStore` port in memory; it is always noon unless a test says otherwise."""

    def __init__(self, *agents: str) -> None:
        self.now = NOON
        self.agents = set(agents)
        self.messages: list[Message] = []
        self.looks = 0

    async def post(self, draft: Draft) -> tuple[Message, bool]:
        await anyio.lowlevel.checkpoint()
        for before in self.messages:
            place = (before.sender, before.run_id, before.key)
            if draft.key and place == (draft.sender, draft.run_id, draft.key):
                return before, False
        if draft.to not in self.agents | {draft.sender}:
            raise no_such_agent(draft.to, asked_by=draft.sender)
        made = Message(
            id=MessageId(len(self.messages) + 1),
            sender=draft.sender,
            to=draft.to,
            run_id=draft.run_id,
            key=draft.key,
            text=draft.text,
            data=draft.data,
            digest=draft.digest,
            created_at=self.now,
            deliver_at=draft.when.instant(self.now, timezone=draft.timezone),
            read_at=None,
            acked_at=None,
        )
        self.agents.add(draft.sender)
        self.messages.append(made)
        return made, True

    async def unacked(self, reader: str, *, limit: int) -> tuple[Sequence[Message], bool]:
        await anyio.lowlevel.checkpoint()
        self.looks += 1
        found = [
            one
            for one in self.messages
            if one.to == reader and one.acked_at is None and one.deliver_at <= self.now
        ]
        return found[:limit], len(found) > limit

    async def ack(self, reader: str, ids: Sequence[MessageId]) -> Mapping[MessageId, datetime]:
        await anyio.lowlevel.checkpoint()
        done: dict[MessageId, datetime] = {}
        for at, one in enumerate(self.messages):
            if one.id in ids and one.to == reader and one.deliver_at <= self.now:
                done[one.id] = one.acked_at or self.now
                self.messages[at] = replace(one, acked_at=done[one.id])
        return done

    async def open_inbox(self, reader: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.agents.add(reader)


class MemoryEvents:
    """The `EventStore` port in memory, as far as steps need it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def publish(self, draft: EventDraft) -> tuple[Event, bool]:
        await anyio.lowlevel.checkpoint()
        for before in self.events:
            place = (before.owner, before.run_id, before.key)
            if draft.key and place == (draft.owner, draft.run_id, draft.key):
                return before, False
        made = Event(
            id=EventId(len(self.events) + 1),
            owner=draft.owner,
            topic=draft.topic,
            run_id=draft.run_id,
            key=draft.key,
            data=draft.data,
            digest=draft.digest,
            created_at=NOON,
        )
        self.events.append(made)
        return made, True

    async def list(self, owner: str, wanted: EventFilter) -> tuple[Sequence[Event], bool]:
        await anyio.lowlevel.checkpoint()
        found = [one for one in self.events if one.owner == owner]
        return found[: wanted.limit], len(found) > wanted.limit
