"""RRULE as text: what the RFC allows is read whole, everything else is refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.domain.recurrence.rule_text import parse_rule, parse_rule_set
from ordinaut_mcp.errors import InvalidInput


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        parse_rule_set(text)
    assert refused.value.field == "schedule_expr"
    assert refused.value.hint
    return refused.value


def test_a_rule_is_read_whole() -> None:
    text = "rrule:freq=monthly;interval=2;count=5;byday=-1fr,mo;bymonth=7,1,1;wkst=su;bysetpos=-1;"
    assert parse_rule_set(text).rule == Rule(
        freq=Freq.MONTHLY,
        interval=2,
        count=5,
        by_day=((-1, 4), (0, 0)),
        by_month=(1, 7),
        by_set_pos=(-1,),
        week_start=6,
    )


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("20270101T000000Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("20270101T080000", datetime.fromisoformat("2027-01-01T08:00")),
        ("20270101", datetime.fromisoformat("2027-01-01T23:59:59")),
    ],
)
def test_until_is_an_instant_a_local_time_or_the_end_of_a_day(text: str, until: datetime) -> None:
    assert parse_rule(f"FREQ=DAILY;UNTIL={text}").until == until


def test_dates_are_added_and_removed_by_lines() -> None:
    rules = parse_rule_set(
        "RRULE:FREQ=DAILY\r\nRDATE;VALUE=DATE-TIME:20270101T080000Z,20270102T080000\n"
        "EXDATE:20270103T080000\nEXDATE;VALUE=DATE:20270104\n"
    )
    assert rules.extra == (
        datetime(2027, 1, 1, 8, tzinfo=UTC),
        datetime.fromisoformat("2027-01-02T08:00"),
    )
    assert rules.removed == (datetime.fromisoformat("2027-01-03T08:00"), date(2027, 1, 4))


def test_a_leap_second_is_the_second_before_it() -> None:
    assert parse_rule("FREQ=MINUTELY;BYSECOND=60").by_second == (59,)


def test_skip_needs_the_gregorian_calendar_named() -> None:
    assert parse_rule("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD").skip == "BACKWARD"
    assert parse_rule("RSCALE=GREGORIAN;FREQ=MONTHLY").skip == "OMIT"
    assert "RSCALE" in refusal("FREQ=MONTHLY;SKIP=FORWARD").message
    assert "RSCALE" in refusal("RSCALE=HEBREW;FREQ=MONTHLY").message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("FREQ=INVALID", "'INVALID'"),
        ("BYDAY=MO", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=\u0661", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=99999999999", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z", "COUNT and UNTIL"),
        ("FREQ=DAILY;BYDAY=XX", "'XX'"),
        ("FREQ=MONTHLY;BYDAY=0MO", "'0MO'"),
        ("FREQ=YEARLY;BYDAY=54MO", "'54MO'"),
        ("FREQ=DAILY;BYMONTH=13", "'13'"),
        ("FREQ=DAILY;BYMONTH=-1", "'-1'"),
        ("FREQ=DAILY;BYHOUR=24", "'24'"),
        ("FREQ=YEARLY;BYYEARDAY=400", "'400'"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "'0'"),
        ("FREQ=DAILY;BYHOUR=9,", "''"),
        ("FREQ=DAILY;BYEASTER=0", "'BYEASTER'"),
        ("FREQ=DAILY;FOO=1", "'FOO'"),
        ("FREQ=DAILY;FREQ=SECONDLY", "FREQ is given twice"),
        ("FREQ=DAILY;BYHOUR", "BYHOUR has no value"),
        ("FREQ=DAILY;;BYHOUR=9", "''"),
        ("FREQ=DAILY;WKST=XX", "'XX'"),
        ("FREQ=MONTHLY;RSCALE=GREGORIAN;SKIP=SIDEWAYS", "SKIP"),
        ("FREQ=DAILY;UNTIL=2027", "'2027'"),
        ("FREQ=DAILY;UNTIL=20270230T000000Z", "'20270230T000000Z'"),
        ("FREQ=DAILY;UNTIL=00010101T000000", "'00010101T000000'"),
        ("FREQ=WEEKLY;BYDAY=1MO,2TU", "numbers beside FREQ=WEEKLY"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "numbers beside BYWEEKNO"),
        ("FREQ=MONTHLY;BYDAY=6MO", "6 times"),
        ("FREQ=MONTHLY;BYWEEKNO=20", "BYWEEKNO"),
        ("FREQ=DAILY;BYYEARDAY=20", "BYYEARDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=20", "BYMONTHDAY"),
        ("FREQ=DAILY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=FORWARD", "SKIP=FORWARD"),
        ("FREQ=DAILY;BYSETPOS=1", "another BY part"),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=366", "largest set of 1"),
        ("FREQ=SECONDLY;BYSECOND=1;BYSETPOS=2", "largest set of 1"),
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9,10;BYSETPOS=-5", "largest set of 4"),
        ("FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=1,2;BYSETPOS=5", "largest set of 4"),
        ("FREQ=YEARLY;BYYEARDAY=1,2;BYSETPOS=3", "largest set of 2"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYSETPOS=8", "largest set of 7"),
        ("FREQ=YEARLY;BYDAY=MO;BYSETPOS=54", "largest set of 53"),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=1MO,2MO;BYSETPOS=3", "largest set of 2"),
        ("FREQ=YEARLY;BYHOUR=9;BYSETPOS=13", "largest set of 12"),
        ("DTSTART:19700101T000000\nRRULE:FREQ=DAILY", "DTSTART"),
        ("RRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY", "EXRULE"),
        ("RRULE:FREQ=DAILY\nSUMMARY:x", "SUMMARY"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY", "exactly one RRULE, not 2"),
        ("EXDATE:20270101T000000", "exactly one RRULE, not 0"),
        ("", "exactly one RRULE, not 0"),
        ("RRULE:FREQ=DAILY\nEXDATE;TZID=Europe/Paris:20270101T000000", "TZID"),
        ("RRULE:FREQ=DAILY\nRDATE:20270101", "'20270101'"),
        ("RRULE:FREQ=DAILY\nRDATE:soon", "'SOON'"),
        ("FREQ=DAILY;\u0000", "'\\x00'"),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str) -> None:
    error = refusal(text)
    assert error.code == "invalid_schedule"
    assert part in error.message


def test_what_no_month_has_never_fires() -> None:
    error = refusal("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    assert (error.code, error.hint) == (
        "never_fires",
        "For the last day of a month write BYMONTHDAY=-1.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 201),
        "FREQ=DAILY;BYHOUR={};BYMINUTE={};BYSECOND=0,30".format(
            ",".join(map(str, range(24))), ",".join(map(str, range(60)))
        ),
        "FREQ=DAILY\nEXDATE:" + ",".join(["20270101T000000"] * 1_001),
    ],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    assert refusal(text).code == "too_complex"


def test_a_text_without_end_is_not_read_at_all() -> None:
    assert refusal("FREQ=DAILY;BYDAY=" + "MO," * 100_000).code == "too_long"
    assert refusal("FREQ=DAILY;UNTIL=" + "2" * 600).code == "too_long"


def outcome(text: str) -> str:
    try:
        rule = parse_rule_set(text).rule
    except InvalidInput as error:
        return error.code
    return "read" if rule.interval >= 1 else "misread"


@given(st.text(alphabet="FREQDAILYWKMOTUBYHSPN=;,:-0123456789TZ\n \u0661", max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert outcome("FREQ=" + text) in {"read", "invalid_schedule", "too_complex", "never_fires"}
