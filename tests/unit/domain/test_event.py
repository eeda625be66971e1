"""Events: topics, patterns, and what a repeated key stands for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.event import (
    RESERVED,
    SHARDS,
    Event,
    EventDraft,
    EventId,
    event_draft,
    event_name,
    parse_event_name,
    parse_pattern,
    parse_topic,
    pattern_regex,
    same_event,
    shard_of,
)
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.errors import Conflict, InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PART = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
TOPIC = st.lists(PART, min_size=1, max_size=7).map(".".join)


def a_draft(topic: str = "report.done", **changes: Any) -> EventDraft:
    return event_draft(owner="ann", topic=topic, **changes)


def stored(asked: EventDraft) -> Event:
    return Event(
        id=EventId(7),
        owner=asked.owner,
        topic=asked.topic,
        run_id=asked.run_id,
        key=asked.key,
        data=asked.data,
        digest=asked.digest,
        created_at=NOW,
    )


def fits(pattern: str, topic: str) -> bool:
    return bool(re.fullmatch(pattern_regex(parse_pattern(pattern)), topic))


@pytest.mark.parametrize(
    "topic",
    [
        *("", "a b", "x.*", "x.**", "#", "a..b", ".a", "a.", "A.b", "a.B", "1.a", "a.2", "_a"),
        *("é.a", "a\n", "a.b\0", "a/b", "a." * 200, "a" * 64, ".".join("a" * 9)),
        ".".join(["a" * 50] * 4),
    ],
)
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_topic(topic)

    assert (error.value.code, error.value.field) == ("invalid_topic", "topic")
    assert len(error.value.message) < 150


@pytest.mark.parametrize(
    "topic", ["a", "email.received.invoice", "a1.b-c.d_e", "a" * 63, ".".join("abcdefgh")]
)
def test_dotted_lower_case_parts_are_a_topic(topic: str) -> None:
    assert parse_topic(topic) == topic


@pytest.mark.parametrize("first", RESERVED)
def test_the_products_own_topics_are_not_for_agents(first: str) -> None:
    for topic in (first, f"{first}.x"):
        with pytest.raises(InvalidInput, match="Ordinaut itself") as error:
            parse_topic(topic)
        assert error.value.code == "invalid_topic"
    assert parse_topic(f"{first}s.x") == f"{first}s.x"
    assert parse_pattern(f"{first}.*") == f"{first}.*"


@pytest.mark.parametrize(
    "pattern", ["", "#", "**.a", "a.**.b", "a.***", "a*", "a.*b", "A.*", "a. "]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_pattern(pattern)

    assert error.value.code == "invalid_topic"


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("email.received", "email.received", True),
        ("email.received", "email.received.x", False),
        ("email.received", "email-received", False),
        ("email.*", "email.received", True),
        ("email.*", "email", False),
        ("email.*", "email.received.x", False),
        ("email.*.x", "email.received.x", True),
        ("*.received", "email.received", True),
        ("*", "email", True),
        ("*", "email.received", False),
        ("email.**", "email.received.x", True),
        ("email.**", "email.received", True),
        ("email.**", "email", False),
        ("*.**", "email.received.x", True),
        ("**", "email.received.x", True),
        ("**", "email", True),
    ],
)
def test_a_pattern_stands_for_one_part_or_for_the_rest(
    pattern: str, topic: str, *, expected: bool
) -> None:
    assert fits(pattern, topic) is expected


@given(TOPIC)
def test_each_topic_fits_itself_and_its_generalisations(topic: str) -> None:
    parts = topic.split(".")

    assert fits(topic, topic)
    assert fits("**", topic)
    assert fits(".".join("*" for _ in parts), topic)
    assert fits(".".join([*parts[:-1], "**"]), topic)
    assert not fits(f"{topic}.*", topic)


@given(TOPIC, TOPIC)
def test_a_topic_without_wildcards_fits_no_other(pattern: str, topic: str) -> None:
    assert fits(pattern, topic) is (pattern == topic)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"data": {"x": "\0"}}, "invalid_text", "data.x"),
        ({"data": {"x": 2**63}}, "invalid_number", "data.x"),
        ({"data": {"x": "y" * 262_144}}, "too_large", "data"),
        ({"key": ""}, "invalid_text", "key"),
    ],
)
def test_what_cannot_be_stored_is_refused(changes: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        a_draft(**changes)

    assert (error.value.code, error.value.field) == (code, field)


def test_an_event_without_data_has_none() -> None:
    assert a_draft().data == {}
    assert (a_draft().size, a_draft(data={"a": "é"}).size) == (2, 11)


@pytest.mark.parametrize(
    "other", [a_draft("report.lost", key="k"), a_draft(key="k", data={"a": 1})]
)
def test_a_key_that_says_something_else_is_a_conflict(other: EventDraft) -> None:
    with pytest.raises(Conflict, match="'k' already published event_7") as error:
        same_event(stored(a_draft(key="k")), other)

    assert error.value.field == "key"


def test_a_key_that_says_the_same_stands_for_the_event() -> None:
    first = stored(a_draft(key="k", data={"a": 1, "b": 2}))

    assert same_event(first, a_draft(key="k", data={"b": 2, "a": 1})) is first


def test_a_step_that_is_called_again_has_published_whatever_it_says_now() -> None:
    first = stored(a_draft(key="run/step", run_id=RunId(3)))

    assert same_event(first, a_draft(key="run/step", run_id=RunId(3), data={"a": 1})) is first


@pytest.mark.parametrize(("text", "number"), [("event_0", 0), (event_name(12), 12)])
def test_places_in_the_list_are_read(text: str, number: int) -> None:
    assert parse_event_name(text, field="after") == number


@pytest.mark.parametrize("text", ["", "event_", "event_01", "12", "event_-1", "event_" + "9" * 19])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_event_name(text, field="after")

    assert (error.value.code, error.value.field) == ("invalid_cursor", "after")


def test_a_name_is_always_in_one_shard_and_all_shards_are_used() -> None:
    assert {shard_of(f"agent-{at}") for at in range(200)} == set(range(SHARDS))
    assert (shard_of("local"), shard_of("ann")) == (0, 3)
