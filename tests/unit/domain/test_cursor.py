"""Cursors: opaque, read back, and nothing but ours."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.cursor import cursor_before, parse_cursor
from ordinaut_mcp.errors import InvalidInput


@given(number=st.integers(1, 10**18 - 1))
def test_a_cursor_is_read_back(number: int) -> None:
    assert parse_cursor(cursor_before(number, of="runs"), of="runs") == number


@given(number=st.integers(1, 10**18 - 1))
def test_a_cursor_can_stand_in_a_url_as_it_is(number: int) -> None:
    assert set(cursor_before(number, of="runs")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_without_a_cursor_the_first_page_is_meant() -> None:
    assert parse_cursor(None, of="runs") is None


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "b",
        "é",
        "====",
        "\0",
        encoded("runs:before:0"),
        encoded("runs:before:-1"),
        encoded("runs:after:1"),
        encoded("tasks:before:1"),
        encoded("runs:before:1 OR 1=1"),
        encoded("runs:before:" + "9" * 19),
        encoded("runs:before:١"),
        "x" * 100_000,
    ],
)
def test_what_is_no_cursor_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_cursor(text, of="runs")

    assert (refused.value.code, refused.value.field) == ("invalid_cursor", "cursor")


@given(text=st.text(max_size=60))
def test_no_text_makes_anything_but_a_number_or_our_error(text: str) -> None:
    found: int | str | None
    try:
        found = parse_cursor(text, of="runs")
    except InvalidInput as error:
        found = error.code

    assert found == "invalid_cursor" or isinstance(found, int)
