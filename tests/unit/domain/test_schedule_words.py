"""What a person reads: the sentence, the notes at clock changes, the warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ordinaut_mcp.domain.schedule import Schedule, ScheduleRequest, compile_schedule

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def compiled(expr: str, **more: Any) -> Schedule:
    timezone = more.pop("timezone", "Europe/Chisinau")
    return compile_schedule(ScheduleRequest(expr=expr, timezone=timezone, **more), now=NOW)


@pytest.mark.parametrize(
    ("expr", "sentence"),
    [
        ("30 8 * * 1-5", "Every weekday at 08:30"),
        ("0 9 * * *", "Every day at 09:00"),
        ("0 9,17 * * 6,0", "Every Saturday and Sunday at 09:00 and 17:00"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("* * * * *", "Every minute"),
        ("* 9 * * *", "Every minute of the hour 09"),
        ("@hourly", "Every hour at :00"),
        ("0 */6 * * *", "Every 6 hours at :00"),
        ("*/20 9-17 * * 1-5", "Every weekday, every 20 minutes of the hours 09 to 17"),
        ("0 9 1,15 * *", "On the 1st and 15th of the month at 09:00"),
        ("0 9 1 jan,jul *", "On the 1st of the month at 09:00 in January and July"),
        ("0 0 13 * 5", "On the 13th of the month and every Friday at 00:00"),
        (
            "0 0 */2 * 5",
            "On 16 days of the month from the 1st to the 31st if it is Friday at 00:00",
        ),
        ("7,*/30 * * * *", "Every hour at :00, :07 and :30"),
        ("0 0-23/5 * * *", "Every day at 5 times from 00:00 to 20:00"),
        ("2026-12-24T18:00", "Once on Thu 24 Dec 2026 at 18:00"),
        ("2026-12-24T18:00:05", "Once on Thu 24 Dec 2026 at 18:00:05"),
        ("in 20m", "Once on Sun 22 Nov 2026 at 12:20"),
        ("FREQ=DAILY;BYHOUR=9", "Every day at 09:00"),
        ("FREQ=DAILY;BYHOUR=9;BYDAY=SA,SU", "Every Saturday and Sunday at 09:00"),
        (
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30",
            "Every weekday at 08:30",
        ),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", "Every 2 weeks on Monday at 09:00"),
        ("FREQ=DAILY;BYHOUR=9;COUNT=3", "Every day at 09:00 in Europe/Chisinau, 3 times"),
        ("FREQ=DAILY;BYHOUR=9;COUNT=1", "Every day at 09:00 in Europe/Chisinau, once"),
        (
            "FREQ=DAILY;BYHOUR=9;UNTIL=20270101T070000Z",
            "Every day at 09:00 in Europe/Chisinau, until Fri 1 Jan 2027 07:00 UTC",
        ),
        (
            "FREQ=DAILY;BYHOUR=9;UNTIL=20270101T090000",
            "Every day at 09:00 in Europe/Chisinau, until Fri 1 Jan 2027 09:00",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=9",
            "Every month on the last day of the month at 09:00",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=22,23;BYHOUR=9",
            "Every month on the 22nd and 23rd of the month at 09:00",
        ),
        ("FREQ=MONTHLY;BYDAY=-2FR;BYHOUR=9", "Every month on the 2nd last Friday at 09:00"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=9",
            "Every month on weekdays, only the last of these, at 09:00",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;BYHOUR=9",
            "Every month on the 13th of the month if it is Friday at 09:00",
        ),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;BYHOUR=18", "Every year on 24 December at 18:00"),
        ("FREQ=YEARLY;BYYEARDAY=100;BYHOUR=9", "Every year on the 100th day of the year at 09:00"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;BYHOUR=9", "Every year on Monday in week 20 at 09:00"),
        ("FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10", "Every 20 minutes in the hours 09 and 10"),
        ("FREQ=SECONDLY;BYMINUTE=5;BYSECOND=7", "Every second in the minute 05 at second 7"),
    ],
)
def test_a_schedule_is_one_plain_sentence(expr: str, sentence: str) -> None:
    ending = "" if "Europe/Chisinau" in sentence else " in Europe/Chisinau"
    assert compiled(expr).describe() == sentence + ending


@pytest.mark.parametrize(
    ("expr", "sentence"),
    [
        ("every 15m", "Every 15 minutes"),
        ("every 1h", "Every hour"),
        ("1h30m", "Every 1 hour 30 minutes"),
    ],
)
def test_an_interval_knows_no_zone(expr: str, sentence: str) -> None:
    assert compiled(expr, kind="interval").describe() == sentence


@pytest.mark.parametrize(
    ("expr", "day", "note"),
    [
        (
            "FREQ=DAILY;BYHOUR=3;BYMINUTE=30",
            "2027-03-28",
            "03:30 does not exist on this day; runs at 04:30",
        ),
        ("30 3 * * *", "2027-03-28", "03:30 does not exist on this day; runs at 04:00"),
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=30", "2027-10-31", "03:30 happens twice; the first"),
        ("FREQ=DAILY;BYHOUR=9", "2027-10-31", None),
    ],
)
def test_a_slot_at_a_clock_change_has_a_note(expr: str, day: str, note: str | None) -> None:
    occurrence = compiled(expr).next_after(datetime.fromisoformat(f"{day}T00:00:00+00:00"))
    assert occurrence is not None
    assert occurrence.note == note


def test_a_wildcard_says_which_passing_it_is() -> None:
    slots = compiled("0 * * * *").slots_after(datetime(2027, 10, 30, 23, 30, tzinfo=UTC))
    assert [next(slots).note for _ in range(3)] == [
        "03:00 happens twice; the first",
        "03:00 happens twice; the second",
        None,
    ]


def test_a_shift_over_midnight_names_the_day() -> None:
    schedule = compiled("FREQ=DAILY;BYHOUR=23;BYMINUTE=30", timezone="America/Nuuk")
    occurrence = schedule.next_after(datetime(2027, 3, 28, 1, tzinfo=UTC))
    assert occurrence is not None
    assert occurrence.note == ("23:30 does not exist on this day; runs at 00:30 on Sun 28 Mar 2027")


GAP = "On Sun 28 Mar 2027 03:30 does not exist; it runs at 04:30."
FOLD = "On Sun 31 Oct 2027 03:30 happens twice; it runs at the first."
GONE = "On Sun 28 Mar 2027 03:30 does not exist; it does not run."


@pytest.mark.parametrize(
    ("expr", "more", "warnings"),
    [
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=30", {}, [GAP, FOLD]),
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=30", {"gap": "omit"}, [GONE, FOLD]),
        ("FREQ=DAILY;BYHOUR=9", {}, []),
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=30", {"timezone": "UTC"}, []),
        ("30 3 * * *", {}, [GAP.replace("04:30", "04:00"), FOLD]),
        ("30 3 * * *", {"gap": "omit"}, [GONE, FOLD]),
        (
            "*/30 3 * * *",
            {},
            [
                "On Sun 28 Mar 2027 03:00 does not exist; it does not run.",
                "On Sun 31 Oct 2027 03:00 happens twice; it runs twice.",
            ],
        ),
        ("*/30 * * * *", {}, []),
        (
            "0 3,4 * * *",
            {},
            [
                "On Sun 28 Mar 2027 03:00 does not exist; it runs at 04:00.",
                "On Sun 31 Oct 2027 03:00 happens twice; it runs at the first.",
            ],
        ),
        ("2027-03-28T03:30", {}, [GAP]),
        ("2027-03-28T05:30", {}, []),
        ("every 15m", {}, []),
        (
            "0 9 13 * 5",
            {},
            ["Day of month and day of week are both given: it runs when either matches."],
        ),
        (
            "0 9 */2 * 5",
            {},
            [
                (
                    "Day of month and day of week are both given: both must match, as one of them "
                    "begins with a star."
                )
            ],
        ),
        ("FREQ=DAILY", {}, ["No hour is named, so it runs at 00:00; add BYHOUR, or a start_at."]),
        (
            "FREQ=MINUTELY;INTERVAL=15",
            {"timezone": "UTC"},
            [
                (
                    "FREQ=MINUTELY follows the wall clock and leaves a hole or a bunch at clock "
                    "changes; for even spacing use schedule_kind interval: every 15m."
                )
            ],
        ),
        ("FREQ=MINUTELY;INTERVAL=15;BYHOUR=9", {}, []),
        (
            "FREQ=HOURLY;BYMINUTE=30;BYDAY=MO",
            {},
            [],
        ),
        (
            "FREQ=WEEKLY;BYDAY=MO",
            {"start_at": "2026-11-24T09:00"},
            [
                (
                    "start_at Tue 24 Nov 2026 09:00 is none of the rule's dates; the first is "
                    "Mon 30 Nov 2026 09:00."
                )
            ],
        ),
        ("FREQ=WEEKLY;BYDAY=TU", {"start_at": "2026-11-24T09:00"}, []),
    ],
)
def test_what_may_surprise_is_said(expr: str, more: dict[str, Any], warnings: list[str]) -> None:
    assert compiled(expr, **more).warnings(NOW) == warnings


def test_an_hourly_rule_does_not_run_late_where_its_next_time_stands_already() -> None:
    said = compiled("FREQ=HOURLY").warnings(NOW)
    assert not any("does not exist" in warning for warning in said)


@pytest.mark.parametrize("day", range(1, 8))
def test_clock_changes_within_a_week_of_each_other_are_both_seen(day: int) -> None:
    now = datetime(2040, 10, day, tzinfo=UTC)
    said = [
        warning
        for hour in (1, 2)
        for warning in compile_schedule(
            ScheduleRequest(expr=f"FREQ=DAILY;BYHOUR={hour};BYMINUTE=30", timezone="Asia/Gaza"),
            now=now,
        ).warnings(now)
    ]
    assert said == [
        "On Sat 27 Oct 2040 01:30 happens twice; it runs at the first.",
        "On Sat 20 Oct 2040 02:30 does not exist; it runs at 03:30.",
    ]
