"""What tells others: bells, events, messages, the spine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ordinaut_mcp.domain.event import Event, EventDraft, EventId
from ordinaut_mcp.domain.message import Draft, Message, MessageId
from ordinaut_mcp.domain.outbox import Foreign, Hold, Moved, OutboxEvent, Published, Turn
from ordinaut_mcp.domain.run import ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to list; without `after` the newest. `pattern`: parsed, None: every topic."""

    pattern: str | None = None
    after: EventId | None = None
    limit: int = 20


class Bell(Protocol):
    """Wakes the runtime; a ring that is lost costs one poll, nothing more. Never raises."""

    async def ring(self, bell: str) -> None:
        """Ring after the commit, never inside the transaction."""
        ...


class MessageStore(Protocol):
    """The inboxes of all agents; each method sees one agent's only."""

    async def post(self, draft: Draft) -> tuple[Message, bool]:
        """Put one message into an inbox, and tell so in the outbox; whether it was made now.

        A message that has the sender's key (or that of the same run's step) is given back as
        it is, whatever the draft says: `same_message` compares.

        Raises:
            NotFound: there is no such recipient.
            InvalidInput: its time has passed, or is too far away.
        """
        ...

    async def unacked(self, reader: str, *, limit: int) -> tuple[Sequence[Message], bool]:
        """What is delivered and not acked, the oldest first; whether there is more.

        It counts as read from now on. At most `limit`, and not much more than 512 KiB.
        """
        ...

    async def ack(self, reader: str, ids: Sequence[MessageId]) -> Mapping[MessageId, datetime]:
        """Mark messages as dealt with: those that are there, each with when it was acked first."""
        ...

    async def open_inbox(self, reader: str) -> None:
        """Let the reader be known, so that others can write to it."""
        ...


class EventStore(Protocol):
    """The events of all agents; each method sees one agent's only."""

    async def publish(self, draft: EventDraft) -> tuple[Event, bool]:
        """Store one event, and tell it in the outbox; whether it was made now.

        An event that has the owner's key (or that of the same run's step) is given back as it
        is, whatever the draft says: `same_event` compares.
        """
        ...

    async def list(self, owner: str, wanted: EventFilter) -> tuple[Sequence[Event], bool]:
        """Events in the order of their publication; whether there is more after them.

        At most `limit`, and not much more than 512 KiB.
        """
        ...


class Outbox(Protocol):
    """Events that are to be published, for relays; any number of them side by side.

    Whatever takes a `Hold` changes nothing unless the process holds the shard and the shard's
    position is still the hold's.
    """

    async def deployment(self) -> str:
        """The id of this deployment, made at the first question."""
        ...

    async def keep(self, process: ProcessId) -> Sequence[Hold]:
        """Renew what the process holds, take what is free, and a fair share of what is not."""
        ...

    async def release(self, process: ProcessId) -> None:
        """Let others publish what the process holds."""
        ...

    async def waiting(self, shards: Sequence[int]) -> Sequence[int]:
        """Those of the shards that have events to publish."""
        ...

    async def begin(
        self, hold: Hold, *, number: int, limit: int, most_bytes: int
    ) -> Sequence[OutboxEvent]:
        """The events with the lowest ids; the position is `number` from now on.

        At least one event, however large; none, and no change: nothing is to be published.
        """
        ...

    async def mark(self, hold: Hold, events: Sequence[OutboxEvent]) -> bool:
        """Record that the batch with the position's number is published, and raise it by one."""
        ...

    async def rewind(self, hold: Hold, *, reached: int) -> bool:
        """Have all events published again that a stream with this number may not hold.

        Page by page; after an accident in the middle, calling again completes it.
        """
        ...


class Spine(Protocol):
    """The streams that everybody reads; Redis may lose them, and they are filled again."""

    async def reached(self, shard: int, *, deployment: str) -> int | Foreign:
        """The number of the last batch in the stream; 0: nothing of ours."""
        ...

    async def publish(
        self, turn: Turn, events: Sequence[OutboxEvent]
    ) -> Published | Moved | Foreign:
        """Append the whole batch where the stream has reached the expected number, else nothing.

        The same turn again is `Published` and appends nothing. `Unavailable`: nobody knows.
        """
        ...
