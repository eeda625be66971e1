"""Reading an inbox: at once, or as soon as something comes; acknowledging; conflicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.event import event_draft
from ordinaut_mcp.domain.message import Draft, Message, draft
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.ports import EventFilter
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.events import EventService
from ordinaut_mcp.services.inbox import InboxService
from tests.unit.runtime.letters import NOON, MemoryEvents, MemoryMessages

pytestmark = pytest.mark.anyio

ANN = Caller("ann")
NO_WAIT = timedelta(0)


def a_draft(**changes: Any) -> Draft:
    plain: dict[str, Any] = {"sender": "ann", "to": "ann", "text": "Hello", "timezone": "UTC"}
    return draft(**{**plain, **changes})


class Awaited(MemoryMessages):
    """An inbox into which a message comes after some looks."""

    def __init__(self, looks: int) -> None:
        super().__init__("ann")
        self._comes_after = looks

    async def unacked(self, reader: str, *, limit: int) -> tuple[Sequence[Message], bool]:
        if self.looks == self._comes_after:
            await self.post(a_draft())
        return await super().unacked(reader, limit=limit)


async def test_without_a_wait_an_empty_inbox_is_looked_into_once() -> None:
    messages = MemoryMessages()

    found = await InboxService(messages).read(ANN, limit=20, wait=NO_WAIT)

    assert (found.messages, found.more, messages.looks) == ([], False, 1)
    assert messages.agents == {"ann"}


async def test_a_wait_ends_with_the_first_message() -> None:
    messages = Awaited(looks=2)

    with anyio.fail_after(5):
        found = await InboxService(messages).read(ANN, limit=20, wait=timedelta(seconds=40))

    assert [message.text for message in found.messages] == ["Hello"]
    assert messages.looks == 3


async def test_a_wait_in_vain_ends_when_its_time_is_up() -> None:
    messages = MemoryMessages()

    with anyio.fail_after(5):
        found = await InboxService(messages).read(ANN, limit=20, wait=timedelta(seconds=0.2))

    assert found.messages == []
    assert 2 <= messages.looks <= 5


async def test_what_is_there_is_answered_at_once_whatever_the_wait() -> None:
    messages = MemoryMessages()
    service = InboxService(messages)
    for number in range(3):
        await service.send(a_draft(text=f"{number}"))

    found = await service.read(ANN, limit=2, wait=timedelta(seconds=40))

    assert [message.text for message in found.messages] == ["0", "1"]
    assert (found.more, messages.looks) == (True, 1)


async def test_a_repeated_call_sends_once_and_another_text_is_a_conflict() -> None:
    messages = MemoryMessages()
    service = InboxService(messages)

    first = await service.send(a_draft(key="k"))
    again = await service.send(a_draft(key="k"))
    with pytest.raises(Conflict):
        await service.send(a_draft(key="k", text="Other"))

    assert (first.made, again.made, again.message) == (True, False, first.message)
    assert len(messages.messages) == 1


async def test_acks_tell_what_was_unknown_once_and_in_order() -> None:
    service = InboxService(MemoryMessages())
    await service.send(a_draft())
    await service.send(a_draft())

    asked = ["msg_2", "msg_9", "nonsense", "msg_1", "msg_2", "msg_9", "run_1"]
    acked = await service.ack(ANN, asked)

    assert acked.at == {"msg_2": NOON, "msg_1": NOON}
    assert acked.unknown == ["msg_9", "nonsense", "run_1"]
    assert (await service.ack(ANN, asked)).at == acked.at
    assert (await service.read(ANN, limit=20, wait=NO_WAIT)).messages == []


async def test_a_repeated_event_is_published_once_and_other_data_is_a_conflict() -> None:
    events = MemoryEvents()
    service = EventService(events)

    first = await service.publish(event_draft(owner="ann", topic="a.b", key="k"))
    again = await service.publish(event_draft(owner="ann", topic="a.b", key="k"))
    with pytest.raises(Conflict):
        await service.publish(event_draft(owner="ann", topic="a.b", key="k", data={"n": 1}))

    assert (first.made, again.made, again.event) == (True, False, first.event)
    assert (first.tasks, len(events.events)) == ((), 1)
    assert await service.list(ANN, EventFilter()) == ([first.event], False)
