"""Events over PostgreSQL: once for each key, in order, by topic, told in the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from ordinaut_mcp.domain.event import (
    Event,
    EventDraft,
    EventId,
    event_draft,
    pattern_regex,
    shard_of,
)
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.ports import EventFilter
from ordinaut_mcp.store.events import NEWEST, PostgresEvents
from ordinaut_mcp.store.pool import Pool, transaction
from ordinaut_mcp.store.stored_json import readable
from tests.integration.store.letters import change, look

pytestmark = pytest.mark.anyio

COUNTS = """
    SELECT (SELECT count(*) FROM ordinaut.event), (SELECT count(*) FROM ordinaut.outbox)
"""
HOLD = "SELECT name FROM ordinaut.agent WHERE name = 'ann' FOR NO KEY UPDATE"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def a_draft(topic: str = "report.done", **changes: Any) -> EventDraft:
    plain: dict[str, Any] = {"owner": "ann", "topic": topic}
    return event_draft(**{**plain, **changes})


async def published(pool: Pool, *topics: str, **more: Any) -> PostgresEvents:
    """Ann's events on these topics, in order."""
    events = PostgresEvents(pool)
    for topic in topics:
        await events.publish(a_draft(topic, **more))
    return events


def topics(found: tuple[Sequence[Event], bool]) -> list[str]:
    return [event.topic for event in found[0]]


async def test_an_event_is_stored_and_told_in_one_transaction(pool: Pool) -> None:
    data = {"n": [1, 2.5, None], "s": "é"}

    event, made = await PostgresEvents(pool).publish(
        a_draft(data=data, run_id=RunId(5), key="run_5/a")
    )

    assert made is True
    assert (event.topic, event.data, event.run_id) == ("report.done", data, 5)
    [told] = await look(
        pool, "SELECT topic, owner, shard, data, run_id, sequence, batch FROM ordinaut.outbox"
    )
    about = {"event": f"event_{event.id}", "data": data, "run": "run_5"}
    shard = shard_of("ann report.done")
    assert told == ("report.done", "ann", shard, about, None, None, None)


async def test_a_key_is_one_event_even_at_the_same_moment(pool: Pool) -> None:
    events, done = PostgresEvents(pool), list[tuple[Event, bool]]()

    async def publish(number: int) -> None:
        done.append(await events.publish(a_draft(key="same", data={"n": number})))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers:
            for number in range(8):
                callers.start_soon(publish, number)

    assert len({event.id for event, _ in done}) == 1
    assert sum(made for _, made in done) == 1
    assert await look(pool, COUNTS) == [(1, 1)]


async def test_a_key_belongs_to_its_owner_and_to_its_run(pool: Pool) -> None:
    events = PostgresEvents(pool)
    drafts = [
        a_draft(key="k"),
        a_draft(key="k", owner="bob"),
        a_draft(key="k", run_id=RunId(1)),
        a_draft(key="k", run_id=RunId(2)),
        a_draft(),
        a_draft(),
    ]

    first = [await events.publish(one) for one in drafts]
    again = [await events.publish(one) for one in drafts[:4]]

    assert [made for _, made in first] == [True] * 6
    assert [made for _, made in again] == [False] * 4
    assert [event.id for event, _ in again] == [event.id for event, _ in first[:4]]


async def test_publishers_of_one_owner_take_turns_so_that_readers_miss_nothing(pool: Pool) -> None:
    events = await published(pool, "a.first")

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers, transaction(pool) as other:
            await other.execute(HOLD)
            callers.start_soon(events.publish, a_draft("a.second"))
            while (await look(pool, WAITING)) == [(0,)]:
                await anyio.lowlevel.checkpoint()
            # Who waits has no number yet.
            await other.execute("SELECT nextval('ordinaut.event_id_seq')")

    found, _ = await events.list("ann", EventFilter(after=EventId(0)))
    assert [event.id for event in found] == [1, 3]


async def test_without_a_place_the_newest_are_listed_in_order(pool: Pool) -> None:
    events = await published(pool, *(f"a.n{number}" for number in range(5)))

    assert topics(await events.list("ann", EventFilter(limit=3))) == ["a.n2", "a.n3", "a.n4"]
    assert (await events.list("ann", EventFilter(limit=3)))[1] is False
    assert await events.list("bob", EventFilter()) == ([], False)


async def test_pages_go_forward_without_a_gap_or_a_repeat(pool: Pool) -> None:
    events = await published(pool, *(f"a.n{number}" for number in range(5)))
    await events.publish(a_draft("b.foreign", owner="bob"))
    seen, place, is_more = list[str](), EventId(0), True

    while is_more:
        page, is_more = await events.list("ann", EventFilter(after=place, limit=2))
        seen += [event.topic for event in page]
        place = page[-1].id

    assert seen == [f"a.n{number}" for number in range(5)]
    assert await events.list("ann", EventFilter(after=place)) == ([], False)
    await events.publish(a_draft("a.next"))
    assert topics(await events.list("ann", EventFilter(after=place))) == ["a.next"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (None, ["email", "email.in", "email.in.spam", "email-x.in", "sms.in"]),
        ("**", ["email", "email.in", "email.in.spam", "email-x.in", "sms.in"]),
        ("email", ["email"]),
        ("email.in", ["email.in"]),
        ("email.*", ["email.in"]),
        ("email.**", ["email.in", "email.in.spam"]),
        ("*.in", ["email.in", "email-x.in", "sms.in"]),
        ("*.*.*", ["email.in.spam"]),
        ("fax.**", []),
    ],
)
async def test_events_are_found_by_topic(
    pool: Pool, pattern: str | None, expected: list[str]
) -> None:
    events = await published(pool, "email", "email.in", "email.in.spam", "email-x.in", "sms.in")

    assert topics(await events.list("ann", EventFilter(pattern=pattern))) == expected
    wanted = EventFilter(pattern=pattern, after=EventId(0))
    assert topics(await events.list("ann", wanted)) == expected


async def test_an_answer_holds_half_a_mebibyte_and_at_least_one_event(pool: Pool) -> None:
    large = {"x": "y" * 250_000}
    events = await published(pool, "a.n0", "a.n1", "a.n2", "a.n3", data=large)

    assert topics(await events.list("ann", EventFilter())) == ["a.n1", "a.n2", "a.n3"]
    first = await events.list("ann", EventFilter(after=EventId(0)))
    assert (topics(first), first[1]) == (["a.n0", "a.n1", "a.n2"], True)


async def test_a_row_that_cannot_be_read_spoils_no_list(pool: Pool) -> None:
    events = await published(pool, "a.n0", "a.n1", "a.n2", data={"n": 1})
    poison = "UPDATE ordinaut.event SET data = %(data)s::jsonb WHERE topic = 'a.n1'"
    await change(pool, poison, data='{"n": ' + "9" * 5_000 + "}")

    found, _ = await events.list("ann", EventFilter())

    assert [event.data for event in found[::2]] == [{"n": 1}, {"n": 1}]
    assert set(found[1].data) == {"unreadable"}


def test_json_that_nests_deeper_than_python_reads_is_unreadable() -> None:
    assert set(readable("[" * 100_000 + "]" * 100_000)) == {"unreadable"}
    assert readable("null") is None


async def test_a_topic_is_looked_up_by_its_index(pool: Pool) -> None:
    events = await published(pool, "email.received")
    filler = """
        INSERT INTO ordinaut.event (owner, topic, size, digest)
        SELECT 'ann', 'noise.n' || mod(n, 50), 2, '' FROM generate_series(1, 20000) n
    """
    await change(pool, filler)
    await change(pool, "ANALYZE ordinaut.event")

    for pattern in ("email.received", "email.*", "email.**"):
        regex = pattern_regex(pattern)
        parameters = {"owner": "ann", "regex": regex, "limit": 20, "most": 1000}
        plan = await look(pool, "EXPLAIN " + NEWEST, **parameters)
        assert any("event_topic" in line for (line,) in plan), plan
    assert topics(await events.list("ann", EventFilter(pattern="email.*"))) == ["email.received"]
