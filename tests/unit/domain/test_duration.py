"""Durations: what people and ISO 8601 write, and nothing that could be read in two ways."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.duration import (
    in_words,
    is_duration,
    parse_duration,
    parse_every,
    parse_in,
)
from ordinaut_mcp.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20m", 1_200),
        ("20 minutes", 1_200),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("1 hour and 5 minutes", 3_900),
        ("2 days, 3 hours", 183_600),
        ("90s", 90),
        ("1w", 604_800),
        ("PT20M", 1_200),
        ("pt1h30m", 5_400),
        ("P1D", 86_400),
        ("P1W", 604_800),
        ("P1DT12H", 129_600),
        (" 45 mins ", 2_700),
        ("36525d", 3_155_760_000),
    ],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert is_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "5", "m", "5,", "1 fortnight", "NaNs", "1e9h", "-5m", "+5m", "1.5h", "0x10m"),
        *("999999999999999999999d", "٣m", "1m1h", "1h1h", "1 h 5", "P", "PT", "P1Y", "P1M", "PT1D"),
        *("0m", "PT0S", "36526d", "1 month", "20m\n", "in 20m", "every 20m", "infinity", "1mo"),
    ],
)
def test_anything_else_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_duration(text, field="for_seconds")
    assert (refused.value.code, refused.value.field) == ("invalid_schedule", "for_seconds")
    assert refused.value.hint
    assert not is_duration(text)


def test_months_are_sent_to_a_rule() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_every("every 2 months")
    assert "FREQ=MONTHLY" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("every 15m", 900), ("Every 2 hours", 7_200), ("every day", 86_400), ("PT15M", 900)],
)
def test_an_interval_may_begin_with_every(text: str, seconds: int) -> None:
    assert parse_every(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["in 20 minutes", "20m", "PT20M", "In  20m"])
def test_a_delay_may_begin_with_in(text: str) -> None:
    assert parse_in(text) == timedelta(minutes=20)


@pytest.mark.parametrize("text", ["in every 20m", "in", "in an hour"])
def test_a_delay_is_no_loose_talk(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_in(text)


def test_long_nonsense_is_quoted_in_part() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_duration("x" * 10_000)
    assert len(refused.value.message) < 100


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=15), "15 minutes"),
        (timedelta(hours=1, minutes=30), "1 hour 30 minutes"),
        (timedelta(days=7), "1 week"),
        (timedelta(days=8), "8 days"),
        (timedelta(milliseconds=10), "0 seconds"),
    ],
)
def test_a_span_is_said_in_words(span: timedelta, words: str) -> None:
    assert in_words(span) == words


@given(st.integers(1, 3_155_760_000))
def test_what_is_said_in_words_is_read_back(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_duration(in_words(span)) == span
