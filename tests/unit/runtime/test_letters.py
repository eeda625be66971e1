"""`inbox.send` and `events.publish` as steps: whose they are, once for each key, their faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ordinaut_mcp.domain.builtin import BUILTINS
from ordinaut_mcp.domain.event import EventDraft
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned
from ordinaut_mcp.errors import Conflict, NotAllowed, OrdinautError, Unavailable
from ordinaut_mcp.runtime.steps.call import StepCall
from ordinaut_mcp.runtime.steps.events import publisher
from ordinaut_mcp.runtime.steps.faults import as_fault
from ordinaut_mcp.runtime.steps.inbox import sender
from tests.unit.runtime.letters import NOON, MemoryEvents, MemoryMessages

pytestmark = pytest.mark.anyio


def a_call(*, key: str = "run_5/a", run: str = "run_5", **arguments: Any) -> StepCall:
    context = RenderContext(values={"run": {"id": run}}, now=NOON, zone=ZoneInfo("Europe/Chisinau"))
    return StepCall(arguments=arguments, context=context, idempotency_key=key, owner="ann")


def fits(uses: str, value: Any) -> bool:
    schema = BUILTINS[uses].output_schema or {}
    return not compile_schema(dict(schema), field="output_schema").problems(value)


async def test_a_message_goes_to_the_owner_unless_somebody_else_is_named() -> None:
    messages = MemoryMessages("bob")

    first = await sender(messages)(a_call(text="For me"))
    second = await sender(messages)(a_call(key="run_5/b", to="bob", text="For Bob"))

    noon = "2026-11-22T12:00:00Z"
    assert first == Returned({"message": "msg_1", "to": "ann", "deliver_at": noon})
    assert second == Returned({"message": "msg_2", "to": "bob", "deliver_at": noon})
    assert isinstance(first, Returned)
    assert fits("inbox.send", first.value)
    assert [(one.sender, one.to, one.run_id) for one in messages.messages] == [
        ("ann", "ann", 5),
        ("ann", "bob", 5),
    ]


async def test_a_step_that_is_called_again_sends_one_message() -> None:
    messages = MemoryMessages()

    first = await sender(messages)(a_call(text="Once"))
    again = await sender(messages)(a_call(text="Once, said differently"))

    assert again == first
    assert [one.text for one in messages.messages] == ["Once"]


async def test_a_message_may_be_shown_later() -> None:
    messages = MemoryMessages()

    await sender(messages)(a_call(text="a", in_seconds=60, data={"n": 1}))
    await sender(messages)(a_call(key="b", text="b", deliver_at="2026-11-23T09:00"))

    first, second = messages.messages
    assert (first.deliver_at, first.data) == (NOON + timedelta(minutes=1), {"n": 1})
    assert second.deliver_at == datetime(2026, 11, 23, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"text": "x", "to": "eve"}, FaultKind.DENIED, "no agent 'eve'"),
        ({"text": "x" * 16_385}, FaultKind.BAD_ARGUMENTS, "16 KiB"),
        ({"text": "  "}, FaultKind.BAD_ARGUMENTS, "empty"),
        ({"text": "x", "deliver_at": "soon"}, FaultKind.BAD_ARGUMENTS, "no date"),
        ({"text": "x", "deliver_at": "2020-01-01"}, FaultKind.BAD_ARGUMENTS, "has passed"),
    ],
)
async def test_what_cannot_be_sent_fails_the_step_and_stores_nothing(
    arguments: dict[str, Any], kind: FaultKind, says: str
) -> None:
    messages = MemoryMessages()

    fault = await sender(messages)(a_call(**arguments))

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.sent) == (kind, False)
    assert says in fault.message
    assert messages.messages == []


async def test_an_event_is_published_once_for_each_step() -> None:
    events = MemoryEvents()

    first = await publisher(events)(a_call(topic="report.done", data={"n": 1}))
    again = await publisher(events)(a_call(topic="report.done", data={"n": 2}))
    other = await publisher(events)(a_call(topic="report.done", run="run_6"))

    assert first == again == Returned({"event": "event_1", "topic": "report.done"})
    assert other == Returned({"event": "event_2", "topic": "report.done"})
    assert isinstance(first, Returned)
    assert fits("events.publish", first.value)
    assert [(one.owner, one.run_id, one.data) for one in events.events] == [
        ("ann", 5, {"n": 1}),
        ("ann", 6, {}),
    ]


@pytest.mark.parametrize("topic", ["", "a b", "x.*", "run.done"])
async def test_what_is_no_topic_fails_the_step_and_stores_nothing(topic: str) -> None:
    events = MemoryEvents()

    fault = await publisher(events)(a_call(topic=topic))

    assert isinstance(fault, Fault)
    assert (fault.kind, events.events) == (FaultKind.BAD_ARGUMENTS, [])
    assert fault.hint


async def test_a_database_that_does_not_answer_is_worth_another_attempt() -> None:
    class Away(MemoryEvents):
        async def publish(self, draft: EventDraft) -> Any:
            raise Unavailable(f"no answer to {draft.topic}", hint="Wait.")

    fault = await publisher(Away())(a_call(topic="a.b"))

    assert fault == Fault(
        kind=FaultKind.NOT_REACHABLE, message="no answer to a.b", hint="Wait.", sent=False
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotAllowed("no"), FaultKind.DENIED),
        (Conflict("no"), FaultKind.TOOL_ERROR),
        (OrdinautError("no"), FaultKind.TOOL_ERROR),
    ],
)
async def test_each_error_of_ours_is_a_kind_of_fault(error: OrdinautError, kind: FaultKind) -> None:
    assert as_fault(error).kind is kind


@pytest.mark.parametrize(
    ("uses", "arguments"),
    [
        ("inbox.send", {}),
        ("inbox.send", {"text": ""}),
        ("inbox.send", {"text": "x", "from": "admin"}),
        ("inbox.send", {"text": "x", "data": [1]}),
        ("inbox.send", {"text": "x", "in_seconds": -1}),
        ("events.publish", {}),
        ("events.publish", {"topic": "a.b", "data": "x"}),
        ("events.publish", {"topic": "a.b", "owner": "admin"}),
    ],
)
async def test_what_its_schema_does_not_know_is_refused(
    uses: str, arguments: dict[str, Any]
) -> None:
    schema = compile_schema(dict(BUILTINS[uses].input_schema), field="with")

    assert schema.problems(arguments)
