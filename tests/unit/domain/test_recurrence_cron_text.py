"""Cron expressions: cronie's five fields, its names, steps and nicknames, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.recurrence.cron_text import NICKNAMES, parse_cron
from ordinaut_mcp.errors import InvalidInput


def test_fields_are_read_as_ascending_values() -> None:
    cron = parse_cron("50-59/5,0 8,20 1-7/3 JAN,jul Mon-Fri")
    assert cron.minutes == (0, 50, 55)
    assert cron.hours == (8, 20)
    assert cron.days == (1, 4, 7)
    assert cron.months == (1, 7)
    assert cron.weekdays == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("sunday", ["0", "7", "SUN", "0,7"])
def test_sunday_has_three_names(sunday: str) -> None:
    assert parse_cron(f"0 9 * * {sunday}").weekdays == (0,)


def test_a_single_number_with_a_step_goes_to_the_end() -> None:
    assert parse_cron("5/20 * * * *").minutes == (5, 25, 45)
    assert parse_cron("5-5/20 * * * *").minutes == (5,)


@pytest.mark.parametrize("nickname", NICKNAMES)
def test_nicknames_are_five_fields(nickname: str) -> None:
    assert parse_cron(nickname.upper()) == parse_cron(NICKNAMES[nickname])


@pytest.mark.parametrize(
    ("text", "is_wildcard"),
    [
        ("*/5 2 * * *", True),
        ("0 */2 * * *", True),
        ("0 2 * * *", False),
        ("0-59 0-23 * * *", False),
    ],
)
def test_a_leading_star_in_minute_or_hour_makes_a_wildcard(text: str, is_wildcard: bool) -> None:
    assert parse_cron(text).is_wildcard is is_wildcard


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30 8 *", "five fields, not 3"),
        ("", "five fields, not 0"),
        ("* * * * * *", "five fields, not 6"),
        ("60 * * * *", "'60' is no minute"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 0 * *", "'0' is no day of month"),
        ("* * * 13 *", "'13' is no month"),
        ("* * * * 8", "'8' is no day of week"),
        ("5-1 * * * *", "runs backwards"),
        ("* * * * fri-mon", "runs backwards"),
        ("*/0 * * * *", "a step goes from 1 to 59"),
        ("*/99999999999 * * * *", "neither a number"),
        ("*/60 * * * *", "a step goes from 1 to 59"),
        ("R * * * *", "neither a number"),
        ("H * * * *", "neither a number"),
        ("\u0663 * * * *", "neither a number"),
        ("1,,2 * * * *", "neither a number"),
        ("-1 * * * *", "neither a number"),
        ("mon * * * *", "no such name"),
        ("* * * * foo", "no such name"),
        ("* * * mon *", "no such name"),
        ("0 0 * * 1#6", "not part of cron"),
        ("0 0 L * *", "not part of cron"),
        ("0 0 ? * 1", "not part of cron"),
        ("@reboot", "nickname"),
        ("@every 5m", "nickname"),
        ("0 0\n* * *", "five fields, not 4"),
        ("x" * 200 + " * * * *", "neither a number"),
    ],
)
def test_anything_else_is_refused_by_its_field(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_cron(text)
    assert (refused.value.code, refused.value.field) == ("invalid_schedule", "schedule_expr")
    assert words in refused.value.message
    assert refused.value.hint


def test_a_text_without_end_is_too_long() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_cron("0-59," * 60)
    assert refused.value.code == "too_long"


def outcome(text: str) -> str:
    try:
        cron = parse_cron(text)
    except InvalidInput as error:
        return error.code
    return "read" if cron.minutes and set(cron.weekdays) <= set(range(7)) else "misread"


@given(st.text(alphabet="*/-,0123456789 monSUN#L?\u0663", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert outcome(text) in {"read", "invalid_schedule"}
