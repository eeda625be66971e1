"""Events: published by agents, looked up by topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ordinaut_mcp.domain.event import Event, EventDraft, same_event
from ordinaut_mcp.ports import EventFilter, EventStore
from ordinaut_mcp.services.caller import Caller


@dataclass(frozen=True, slots=True)
class Published:
    """An event; not `made` when an earlier call with its key had published it.

    `tasks` holds the ids of tasks that it triggers: none in this version.
    """

    event: Event
    made: bool
    tasks: Sequence[str] = ()


class EventService:
    """What agents may ask about events."""

    def __init__(self, events: EventStore) -> None:
        self._events = events

    async def publish(self, draft: EventDraft) -> Published:
        """Publish one event; the same key never publishes a second one.

        Raises:
            Conflict: the key has published another topic or other data.
        """
        event, made = await self._events.publish(draft)
        return Published(event if made else same_event(event, draft), made)

    async def list(self, caller: Caller, wanted: EventFilter) -> tuple[Sequence[Event], bool]:
        """The caller's events in the order of their publication; whether more follow."""
        return await self._events.list(caller.agent, wanted)
