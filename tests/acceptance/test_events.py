"""publish_event, list_events and `events.publish`, through a client."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.acceptance.cases import CASES, call_of, codes_of, marked
from tests.acceptance.product import Product
from tests.acceptance.rows import rows_of
from tests.acceptance.session import Session
from tests.acceptance.tasks import task

PUBLISHING = [
    one for one in CASES if one["surface"] == "event" and one["input"]["op"] == "publish_event"
]


@pytest.fixture
def ann(product: Product) -> Generator[Session, None, None]:
    """An agent of its own."""
    with product.session(agent=f"ann-{uuid4().hex[:8]}") as opened:
        yield opened


@pytest.fixture(scope="module")
def database(product: Product) -> Generator[psycopg.Connection[Any], None, None]:
    with product.database() as connection:
        yield connection


@pytest.fixture
def nothing_stored(
    session: Session, database: psycopg.Connection[Any]
) -> Generator[None, None, None]:
    """Checks after the test that no event was added and that the session is well."""
    before = rows_of(database)["event"]
    yield
    assert rows_of(database)["event"] == before
    assert "Traceback" not in session.log


def topics(answer: dict[str, Any]) -> list[str]:
    return [event["topic"] for event in answer["events"]]


def test_an_event_is_published_and_found(ann: Session) -> None:
    answer = ann.call("publish_event", topic="email.received.invoice", data={"n": 1.5})
    event = answer["event"]

    assert (answer["created"], answer["tasks"]) == (True, [])
    assert event["id"].startswith("event_")
    assert (event["topic"], event["data"], event["key"]) == (
        "email.received.invoice",
        {"n": 1.5},
        None,
    )
    assert (event["untrusted"], event["run"]) == (True, None)
    assert "not in this version" in answer["says"]
    assert ann.call("list_events") == {"events": [event], "next_cursor": None}
    assert event["id"] in ann.text("list_events")
    assert '> data: {"n": 1.5}' in ann.text("list_events")


def test_the_outbox_tells_of_it(ann: Session, database: psycopg.Connection[Any]) -> None:
    event = ann.call("publish_event", topic="report.done", data={"n": 1})["event"]

    told = database.execute(
        "SELECT topic, data -> 'data' FROM ordinaut.outbox WHERE data ->> 'event' = %s",
        (event["id"],),
    ).fetchall()
    assert told == [("report.done", {"n": 1})]


def test_a_key_publishes_once_and_other_data_is_a_conflict(ann: Session, key: str) -> None:
    first = ann.call("publish_event", topic="a.b", key=key)
    again = ann.call("publish_event", topic="a.b", key=key, data={})
    refused = ann.refused("publish_event", topic="a.b", key=key, data={"n": 1})

    assert (again["created"], again["event"]) == (False, first["event"])
    assert first["event"]["key"] == key
    assert (refused["code"], refused["field"]) == ("conflict", "key")
    assert topics(ann.call("list_events")) == ["a.b"]


def test_events_are_followed_without_a_gap_or_a_repeat(ann: Session) -> None:
    for number in range(5):
        ann.call("publish_event", topic=f"a.n{number}")

    first = ann.call("list_events", after="event_0", limit=3)
    rest = ann.call("list_events", after=first["next_cursor"], limit=3)
    last = rest["events"][-1]["id"]

    assert topics(first) + topics(rest) == [f"a.n{number}" for number in range(5)]
    assert rest["next_cursor"] is None
    assert topics(ann.call("list_events", limit=2)) == ["a.n3", "a.n4"]
    assert ann.call("list_events", after=last)["events"] == []
    ann.call("publish_event", topic="b.new")
    assert topics(ann.call("list_events", after=last)) == ["b.new"]
    assert ann.text("list_events", topic="c.**") == "No events."
    assert f"More: after={first['next_cursor']}" in ann.text(
        "list_events", after="event_0", limit=3
    )


def test_events_are_found_by_pattern_and_belong_to_their_owner(
    ann: Session, product: Product, agent: str
) -> None:
    for topic in ("email", "email.in", "email.in.spam", "sms.in"):
        ann.call("publish_event", topic=topic)

    assert topics(ann.call("list_events", topic="email.*")) == ["email.in"]
    assert topics(ann.call("list_events", topic="email.**")) == ["email.in", "email.in.spam"]
    assert topics(ann.call("list_events", topic="*.in")) == ["email.in", "sms.in"]
    assert len(topics(ann.call("list_events", topic="**"))) == 4
    with product.session(agent=agent) as other:
        assert other.call("list_events", after="event_0")["events"] == []


def test_a_step_publishes_once(ann: Session) -> None:
    step = {
        "id": "tell",
        "uses": "events.publish",
        "with": {"topic": "report.done", "data": {"n": "${params.n}"}},
    }
    stored = ann.call("schedule_task", **task(pipeline=[step], params={"n": 3}))["task"]["id"]
    run = ann.call("run_now", task=stored, wait_seconds=20)["run"]

    [event] = ann.call("list_events", topic="report.*")["events"]

    assert run["state"] == "succeeded"
    assert run["output"] == {"event": event["id"], "topic": "report.done"}
    assert (event["data"], event["run"], event["key"]) == ({"n": 3}, run["id"], None)


@pytest.mark.parametrize("topic", ["run.done", "${params.topic}"])
def test_a_step_on_no_topic_fails_and_publishes_nothing(ann: Session, topic: str) -> None:
    step = {"id": "a", "uses": "events.publish", "with": {"topic": topic}}
    request = task(pipeline=[step], params={"topic": "no topic"})
    stored = ann.call("schedule_task", **request)["task"]["id"]
    run = ann.call("run_now", task=stored, wait_seconds=20)["run"]

    assert (run["state"], run["error"]["code"]) == ("failed", "schema_mismatch")
    assert ann.call("list_events")["events"] == []


def test_there_are_cases() -> None:
    assert [one["id"] for one in PUBLISHING] == [
        "event-001",
        "event-002",
        "event-004",
        "event-006",
        "event-008",
    ]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("bad", marked(PUBLISHING))
def test_the_cases_are_refused_by_code_and_field(session: Session, bad: dict[str, Any]) -> None:
    tool, arguments = call_of(bad)
    error = session.refused(tool, **arguments)

    assert error["code"] in codes_of(bad)
    assert error["field"] == bad["expect"]["field"]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("tool", "arguments", "code", "field"),
    [
        ("publish_event", {}, "missing", "topic"),
        ("publish_event", {"topic": 7}, "wrong_type", "topic"),
        ("publish_event", {"topic": "run.done"}, "invalid_topic", "topic"),
        ("publish_event", {"topic": "ordinaut.x"}, "invalid_topic", "topic"),
        ("publish_event", {"topic": "a.b", "owner": "eve"}, "unknown_field", "owner"),
        ("publish_event", {"topic": "a.b", "data": [1]}, "wrong_type", "data"),
        ("publish_event", {"topic": "a.b", "data": {"x": "y" * 262_144}}, "too_large", "data"),
        ("publish_event", {"topic": "a.b", "key": "k" * 201}, "too_long", "key"),
        ("list_events", {"topic": "#"}, "invalid_topic", "topic"),
        ("list_events", {"topic": "**.a"}, "invalid_topic", "topic"),
        ("list_events", {"topic": "a" * 300_000}, "too_large", "topic"),
        ("list_events", {"after": "abc"}, "invalid_cursor", "after"),
        ("list_events", {"after": "event_" + "9" * 30}, "invalid_cursor", "after"),
        ("list_events", {"limit": 0}, "out_of_range", "limit"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_stored(
    session: Session, tool: str, arguments: dict[str, Any], code: str, field: str
) -> None:
    error = session.refused(tool, **arguments)

    assert (error["code"], error["field"]) == (code, field)
