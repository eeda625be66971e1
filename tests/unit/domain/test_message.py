"""Messages: what may be sent, when they are shown, and what a repeated key stands for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.message import (
    LARGEST_TEXT,
    Draft,
    Message,
    MessageId,
    When,
    draft,
    message_name,
    message_number,
    no_such_agent,
    same_message,
)
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.errors import Conflict, InvalidInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_draft(**changes: Any) -> Draft:
    plain: dict[str, Any] = {"sender": "ann", "to": "bob", "text": "Hello"}
    plain["timezone"] = "Europe/Chisinau"
    return draft(**{**plain, **changes})


def stored(asked: Draft) -> Message:
    return Message(
        id=MessageId(7),
        sender=asked.sender,
        to=asked.to,
        run_id=asked.run_id,
        key=asked.key,
        text=asked.text,
        data=asked.data,
        digest=asked.digest,
        created_at=NOW,
        deliver_at=NOW,
        read_at=None,
        acked_at=None,
    )


def refused(**changes: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as error:
        a_draft(**changes)
    return error.value.code, error.value.field


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"text": ""}, "too_short", "text"),
        ({"text": " \n\t "}, "too_short", "text"),
        ({"text": "x" * 16_385}, "too_large", "text"),
        ({"text": "é" * 8_193}, "too_large", "text"),
        ({"text": "a\0b"}, "invalid_text", "text"),
        ({"text": "a\ud800b"}, "invalid_text", "text"),
        ({"data": {"x": "\0"}}, "invalid_text", "data.x"),
        ({"data": {"": 1}}, "invalid_key", "data"),
        ({"data": {"x": float("nan")}}, "invalid_number", "data.x"),
        ({"data": {"x": "y" * 262_144}}, "too_large", "data"),
        ({"data": {f"k{at}": 1 for at in range(1_001)}}, "too_many_keys", "data"),
        ({"key": "a\nb"}, "invalid_text", "key"),
        ({"key": "k" * 201}, "too_long", "key"),
        ({"deliver_at": "tomorrow"}, "invalid_instant", "deliver_at"),
        (
            {"deliver_at": "2026-12-24T18:00", "in_seconds": 5},
            "conflicting_arguments",
            "in_seconds",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_field(
    changes: dict[str, Any], code: str, field: str
) -> None:
    assert refused(**changes) == (code, field)


@pytest.mark.parametrize("text", ["x" * 16_384, "é" * 8_192, "line one\nline two\t!", "DROP TABLE"])
def test_every_text_up_to_sixteen_kibibytes_is_kept_as_it_is(text: str) -> None:
    assert a_draft(text=text).text == text


@given(st.text(max_size=200))
def test_a_text_passes_as_it_is_or_is_refused(text: str) -> None:
    if "\0" in text or not text.strip():
        assert refused(text=text)[1] == "text"
    else:
        assert a_draft(text=text).text == text


def test_without_a_time_a_message_is_shown_at_once() -> None:
    assert a_draft().when.instant(NOW, timezone="UTC") == NOW
    assert a_draft(in_seconds=0).when.instant(NOW, timezone="UTC") == NOW


def test_a_delay_counts_from_now() -> None:
    assert a_draft(in_seconds=90.5).when.instant(NOW, timezone="UTC") == NOW + timedelta(
        seconds=90.5
    )


def test_an_instant_is_local_to_the_zone_unless_it_has_an_offset() -> None:
    assert a_draft(deliver_at="2026-12-24T18:00").when.at == datetime(2026, 12, 24, 16, tzinfo=UTC)
    assert a_draft(deliver_at="2026-12-24T18:00Z").when.at == datetime(2026, 12, 24, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW, "in_the_past"),
        (NOW - HOUR, "in_the_past"),
        (datetime.min.replace(tzinfo=UTC), "in_the_past"),
        (NOW + timedelta(days=3_661), "too_far"),
        (datetime.max.replace(tzinfo=UTC), "too_far"),
    ],
)
def test_an_instant_must_be_to_come_and_not_too_far(at: datetime, code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        When(at=at).instant(NOW, timezone="Europe/Chisinau")

    assert (error.value.code, error.value.field) == (code, "deliver_at")


def test_the_past_is_told_in_the_senders_zone() -> None:
    with pytest.raises(InvalidInput, match=r"it is 2026-11-22T14:00:00\+02:00"):
        When(at=NOW - HOUR).instant(NOW, timezone="Europe/Chisinau")


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "eve"},
        {"text": "Hello!"},
        {"data": {}},
        {"data": {"a": 1}},
        {"in_seconds": 60},
        {"deliver_at": "2026-12-24T18:00"},
    ],
)
def test_a_key_that_says_something_else_is_a_conflict(changes: dict[str, Any]) -> None:
    first = stored(a_draft(key="k"))

    with pytest.raises(Conflict, match="'k' already sent msg_7") as error:
        same_message(first, a_draft(key="k", **changes))

    assert error.value.field == "key"


@pytest.mark.parametrize("more", [{}, {"in_seconds": 60}, {"data": {"b": 1, "a": [2]}}])
def test_a_key_that_says_the_same_stands_for_the_message(more: dict[str, Any]) -> None:
    first = stored(a_draft(key="k", **more))

    assert same_message(first, a_draft(key="k", **more)) is first


def test_one_instant_written_in_two_ways_is_the_same() -> None:
    first = stored(a_draft(key="k", deliver_at="2026-12-24T18:00"))

    assert same_message(first, a_draft(key="k", deliver_at="2026-12-24T16:00Z")) is first


def test_a_step_that_is_called_again_has_sent_its_message_whatever_it_says_now() -> None:
    first = stored(a_draft(key="run/step", run_id=RunId(3)))

    assert same_message(first, a_draft(key="run/step", run_id=RunId(3), text="Other")) is first


def test_the_size_counts_text_and_data_as_json() -> None:
    assert a_draft(text="é").size == len('["é", null]'.encode())
    assert a_draft(data={"a": 1}).size == len('["Hello", {"a": 1}]')
    assert a_draft(text="x" * LARGEST_TEXT).size > LARGEST_TEXT


@pytest.mark.parametrize(("text", "number"), [("msg_1", 1), (message_name(120), 120)])
def test_ids_are_read(text: str, number: int) -> None:
    assert message_number(text) == number


@pytest.mark.parametrize("text", ["", "msg_", "msg_0", "msg_01", "12", "MSG_1", "msg_1\n", "msg_١"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert message_number(text) is None


def test_an_unknown_agent_names_nobody_else_and_says_how_agents_come_to_be() -> None:
    error = no_such_agent("bob" + "x" * 100, asked_by="ann")

    assert (error.code, error.field, error.allowed) == ("not_found", "to", None)
    assert "x" * 61 not in error.message
    assert "You are 'ann'" in (error.hint or "")
    assert "ORDINAUT_AGENT" in (error.hint or "")


def test_a_draft_is_compared_by_what_it_says_and_not_by_who_reads_it_where() -> None:
    asked = a_draft(key="k")

    assert replace(asked, timezone="UTC").digest == asked.digest
