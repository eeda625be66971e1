"""Inboxes over PostgreSQL: once for each key, in order, nobody else's, told in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.message import Draft, Message, MessageId, draft
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.errors import InvalidInput, NotFound
from ordinaut_mcp.store.messages import PostgresMessages
from ordinaut_mcp.store.pool import Pool
from tests.integration.store.letters import change, look
from tests.moving import move

pytestmark = pytest.mark.anyio

COUNTS = """
    SELECT (SELECT count(*) FROM ordinaut.agent), (SELECT count(*) FROM ordinaut.message),
           (SELECT count(*) FROM ordinaut.outbox)
"""


def a_draft(to: str = "bob", **changes: Any) -> Draft:
    plain: dict[str, Any] = {"sender": "ann", "to": to, "text": "Hello", "timezone": "UTC"}
    return draft(**{**plain, **changes})


async def inboxes(pool: Pool) -> PostgresMessages:
    """Ann's and Bob's."""
    messages = PostgresMessages(pool)
    for name in ("ann", "bob"):
        await messages.open_inbox(name)
    return messages


def texts(found: tuple[Sequence[Message], bool]) -> list[str]:
    return [message.text for message in found[0]]


async def test_a_message_reaches_its_reader_and_nobody_else(pool: Pool) -> None:
    messages = await inboxes(pool)

    sent, made = await messages.post(a_draft(data={"n": [1, 2.5, None]}))
    [read], more = await messages.unacked("bob", limit=20)

    assert (made, more) == (True, False)
    assert read == sent
    assert (read.sender, read.to, read.text, read.data) == (
        "ann",
        "bob",
        "Hello",
        {"n": [1, 2.5, None]},
    )
    assert (read.read_at, read.acked_at, read.deliver_at) == (None, None, read.created_at)
    assert await messages.unacked("ann", limit=20) == ([], False)


async def test_the_outbox_tells_of_it_in_the_same_transaction(pool: Pool) -> None:
    messages = await inboxes(pool)

    sent, _ = await messages.post(a_draft(run_id=RunId(5), key="run_5/a"))

    [(topic, owner, shard, data)] = await look(
        pool, "SELECT topic, owner, shard, data FROM ordinaut.outbox"
    )
    assert (topic, owner, shard) == ("message.sent", "bob", 0)
    assert data["message"] == f"msg_{sent.id}"
    assert (data["from"], data["to"], data["run"]) == ("ann", "bob", "run_5")
    assert data["deliver_at"].endswith("Z")
    assert "Hello" not in str(data)


async def test_nothing_is_stored_when_the_recipient_is_not_there(pool: Pool) -> None:
    messages = PostgresMessages(pool)

    for name in ("bob", "Bob", "", "no such agent", "x" * 1000):
        with pytest.raises(NotFound) as error:
            await messages.post(a_draft(name))
        assert error.value.field == "to"

    assert await look(pool, COUNTS) == [(0, 0, 0)]


async def test_nothing_is_stored_when_the_time_has_passed(pool: Pool) -> None:
    messages = await inboxes(pool)

    for when in ("2020-01-01T00:00", "0001-01-01T00:00", "2126-01-01", "9999-12-31T00:00"):
        with pytest.raises(InvalidInput) as error:
            await messages.post(a_draft(deliver_at=when, key="k", timezone="America/New_York"))
        assert error.value.code == ("in_the_past" if when < "2100" else "too_far")

    assert await look(pool, COUNTS) == [(2, 0, 0)]


async def test_an_agent_may_write_to_itself_before_anybody_knows_it(pool: Pool) -> None:
    messages = PostgresMessages(pool)

    await messages.post(a_draft("ann", text="Remember"))

    assert texts(await messages.unacked("ann", limit=20)) == ["Remember"]


async def test_a_message_for_later_is_not_shown_before(pool: Pool) -> None:
    messages = await inboxes(pool)
    await messages.post(a_draft(text="later", in_seconds=3600))
    await messages.post(a_draft(text="now"))

    assert texts(await messages.unacked("bob", limit=20)) == ["now"]
    await move(pool, timedelta(minutes=61))

    assert texts(await messages.unacked("bob", limit=20)) == ["now", "later"]


async def test_what_is_not_delivered_cannot_be_acked(pool: Pool) -> None:
    messages = await inboxes(pool)
    sent, _ = await messages.post(a_draft(in_seconds=3600))

    assert await messages.ack("bob", [sent.id]) == {}
    await move(pool, timedelta(hours=2))

    assert set(await messages.ack("bob", [sent.id])) == {sent.id}


async def test_a_key_is_one_message_even_at_the_same_moment(pool: Pool) -> None:
    messages, done = await inboxes(pool), list[tuple[Message, bool]]()

    async def send(number: int) -> None:
        done.append(await messages.post(a_draft(key="same", text=f"Number {number}")))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers:
            for number in range(8):
                callers.start_soon(send, number)

    assert len({message.id for message, _ in done}) == 1
    assert sum(made for _, made in done) == 1
    assert await look(pool, COUNTS) == [(2, 1, 1)]


async def test_a_key_belongs_to_its_sender_and_to_its_run(pool: Pool) -> None:
    messages = await inboxes(pool)
    drafts = [
        a_draft(key="k"),
        a_draft(key="k", sender="bob"),
        a_draft(key="k", run_id=RunId(1)),
        a_draft(key="k", run_id=RunId(2)),
        a_draft(),
        a_draft(),
    ]

    first = [await messages.post(one) for one in drafts]
    again = [await messages.post(one) for one in drafts[:4]]

    assert [made for _, made in first] == [True] * 6
    assert [made for _, made in again] == [False] * 4
    assert [message.id for message, _ in again] == [message.id for message, _ in first[:4]]


async def test_a_key_stands_for_its_message_after_its_time_too(pool: Pool) -> None:
    messages = await inboxes(pool)
    at = (await look(pool, "SELECT to_json(ordinaut.now() + interval '1 hour') #>> '{}'"))[0][0]
    sent, _ = await messages.post(a_draft(key="k", deliver_at=at))
    await move(pool, timedelta(hours=2))

    assert (await messages.post(a_draft(key="k", deliver_at=at)))[0].id == sent.id


async def test_messages_are_shown_oldest_first_until_they_are_acked(pool: Pool) -> None:
    messages = await inboxes(pool)
    ids = [(await messages.post(a_draft(text=f"{number}")))[0].id for number in range(5)]

    assert texts(await messages.unacked("bob", limit=2)) == ["0", "1"]
    assert (await messages.unacked("bob", limit=4))[1] is True
    assert (await messages.unacked("bob", limit=5))[1] is False
    await messages.ack("bob", [ids[0], ids[2]])

    assert texts(await messages.unacked("bob", limit=2)) == ["1", "3"]


async def test_only_the_first_reading_is_noted(pool: Pool) -> None:
    messages = await inboxes(pool)
    await messages.post(a_draft())

    [first], _ = await messages.unacked("bob", limit=20)
    [second], _ = await messages.unacked("bob", limit=20)
    await move(pool, timedelta(hours=1))
    [third], _ = await messages.unacked("bob", limit=20)

    assert first.read_at is None
    assert second.read_at is not None
    assert third.read_at == second.read_at


async def test_acking_again_changes_nothing(pool: Pool) -> None:
    messages = await inboxes(pool)
    sent, _ = await messages.post(a_draft())

    first = await messages.ack("bob", [sent.id, MessageId(999), sent.id])
    await move(pool, timedelta(hours=1))

    assert set(first) == {sent.id}
    assert await messages.ack("bob", [sent.id]) == first
    assert await messages.ack("bob", []) == {}


async def test_nobody_acks_what_is_in_anothers_inbox(pool: Pool) -> None:
    messages = await inboxes(pool)
    sent, _ = await messages.post(a_draft())

    assert await messages.ack("ann", [sent.id]) == {}
    assert texts(await messages.unacked("bob", limit=20)) == ["Hello"]


async def test_readers_of_one_inbox_do_not_get_in_each_others_way(pool: Pool) -> None:
    messages, seen = await inboxes(pool), list[list[str]]()
    ids = [(await messages.post(a_draft(text=f"{number}")))[0].id for number in range(6)]

    async def read() -> None:
        seen.append(texts(await messages.unacked("bob", limit=20)))

    async def ack(backwards: int) -> None:
        await messages.ack("bob", ids[::backwards])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as readers:
            for direction in (1, -1, 1, -1):
                readers.start_soon(read)
                readers.start_soon(ack, direction)

    assert all(one in ([], [f"{number}" for number in range(6)]) for one in seen)
    assert await messages.unacked("bob", limit=20) == ([], False)


async def test_an_answer_holds_half_a_mebibyte_and_at_least_one_message(pool: Pool) -> None:
    messages = await inboxes(pool)
    for number in range(4):
        await messages.post(a_draft(text=f"{number}", data={"x": "y" * 250_000}))

    found = await messages.unacked("bob", limit=20)

    assert (texts(found), found[1]) == (["0", "1", "2"], True)
    await messages.ack("bob", [message.id for message in found[0]])
    assert texts(await messages.unacked("bob", limit=20)) == ["3"]


async def test_a_row_that_cannot_be_read_spoils_no_list(pool: Pool) -> None:
    messages = await inboxes(pool)
    for number in range(3):
        await messages.post(a_draft(text=f"{number}", data={"n": number}))
    poison = "UPDATE ordinaut.message SET data = %(data)s::jsonb WHERE text = '1'"
    await change(pool, poison, data='{"n": ' + "9" * 5_000 + "}")

    found, _ = await messages.unacked("bob", limit=20)

    assert [one.data for one in found[::2]] == [{"n": 0}, {"n": 2}]
    assert set(found[1].data) == {"unreadable"}


@pytest.mark.parametrize("column", ["created_at", "deliver_at", "read_at", "acked_at"])
async def test_an_instant_that_cannot_be_read_is_not_stored(pool: Pool, column: str) -> None:
    messages = await inboxes(pool)
    await messages.post(a_draft())

    for instant in ("infinity", "-infinity", "10000-01-01", "0001-01-01 BC"):
        with pytest.raises(Exception, match="violates check constraint"):
            await change(pool, f"UPDATE ordinaut.message SET {column} = '{instant}'")  # noqa: S608
