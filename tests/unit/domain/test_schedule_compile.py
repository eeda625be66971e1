"""From a request to a schedule: kinds, anchors, limits and refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from ordinaut_mcp.domain.schedule import (
    Kind,
    Schedule,
    ScheduleLimits,
    ScheduleRequest,
    compile_schedule,
)
from ordinaut_mcp.errors import InvalidInput, NotAvailable

NOW = datetime(2026, 11, 22, 10, 20, 30, 400_000, tzinfo=UTC)
CHISINAU = "Europe/Chisinau"


def asked(expr: str, **more: Any) -> ScheduleRequest:
    return ScheduleRequest(expr=expr, timezone=more.pop("timezone", CHISINAU), **more)


def compiled(expr: str, *, now: datetime = NOW, **more: Any) -> Schedule:
    return compile_schedule(asked(expr, **more), now=now)


def refusal(expr: str, *, now: datetime = NOW, **more: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        compiled(expr, now=now, **more)
    return refused.value


def local_times(schedule: Schedule, count: int, after: datetime = NOW) -> list[str]:
    return [f"{slot.local:%Y-%m-%dT%H:%M}" for slot in islice(schedule.slots_after(after), count)]


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("2026-12-24T18:00", Kind.ONCE),
        ("2026-12-24 18:00:00+02:00", Kind.ONCE),
        ("20m", Kind.IN),
        ("in 20 minutes", Kind.IN),
        ("PT20M", Kind.IN),
        ("every 15m", Kind.INTERVAL),
        ("30 8 * * 1-5", Kind.CRON),
        ("@daily", Kind.CRON),
        ("FREQ=DAILY;BYHOUR=9", Kind.RRULE),
        ("RRULE:FREQ=DAILY;BYHOUR=9", Kind.RRULE),
        ("EXDATE:20261123T090000\nRRULE:FREQ=DAILY;BYHOUR=9", Kind.RRULE),
    ],
)
def test_auto_recognises_each_kind(expr: str, kind: Kind) -> None:
    assert compiled(expr).kind is kind


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("email.received.*", "auto"),
        ("email", "event"),
        ("output.count > `3`", "auto"),
        ("x", "condition"),
    ],
)
def test_events_and_conditions_are_not_available_here(expr: str, kind: str) -> None:
    with pytest.raises(NotAvailable) as refused:
        compiled(expr, kind=kind)
    assert refused.value.field == "schedule_kind"


@pytest.mark.parametrize(
    "expr", ["tomorrow at nine", "soon", "9", "BYDAY=MO", "5 o'clock", "1/2/2027"]
)
def test_a_text_like_no_kind_is_answered_with_the_forms(expr: str) -> None:
    error = refusal(expr)
    assert (error.code, error.field) == ("invalid_schedule", "schedule_expr")
    assert "every 15m" in (error.allowed or [])


def test_an_unknown_kind_is_answered_with_the_near_one() -> None:
    error = refusal("0 9 * * *", kind="crom")
    assert (error.code, error.field) == ("invalid_schedule", "schedule_kind")
    assert error.hint == "Did you mean cron?"
    assert "rrule" in (error.allowed or [])


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"kind": ""}, "schedule_kind", "invalid_schedule"),
        ({"kind": 5}, "schedule_kind", "wrong_type"),
        ({"timezone": "Bogus/Zone"}, "timezone", "unknown_timezone"),
        ({"timezone": "Invalid/Timezone"}, "timezone", "unknown_timezone"),
        ({"start_at": "soon"}, "start_at", "invalid_schedule"),
        ({"start_at": 5}, "start_at", "wrong_type"),
        ({"start_at": "0001-01-01T00:00"}, "start_at", "invalid_schedule"),
        ({"end_at": "2027-02-30"}, "end_at", "invalid_schedule"),
        ({"end_at": "2026-01-01"}, "end_at", "never_fires"),
        ({"gap": "jump"}, "gap", "invalid_schedule"),
        ({"exclude": ("2027-01-01", "x")}, "exclude[1]", "invalid_schedule"),
        ({"exclude": (5,)}, "exclude[0]", "wrong_type"),
        ({"exclude": ("2027-01-01",) * 1_001}, "exclude", "too_complex"),
        ({"start_at": "2096-01-01T00:00"}, "start_at", "too_far"),
    ],
)
def test_the_argument_that_is_wrong_is_named(more: dict[str, Any], field: str, code: str) -> None:
    error = refusal("0 9 * * *", **more)
    assert (error.field, error.code) == (field, code)


def test_a_time_in_the_past_is_told_what_time_it_is() -> None:
    error = refusal("2026-11-22T12:20")
    assert (error.code, error.field) == ("in_the_past", "schedule_expr")
    assert "it is now Sun 22 Nov 2026, 12:20 in Europe/Chisinau" in error.message


def test_a_single_time_may_be_local_or_an_instant() -> None:
    local, instant = compiled("2026-12-24T18:00"), compiled("2026-12-24T18:00:00.000-05:00")
    assert local.next_after(NOW) is not None
    assert [slot.at.hour for slot in local.slots_after(NOW)] == [16]
    assert [(slot.at.hour, slot.local.day) for slot in instant.slots_after(NOW)] == [(23, 25)]


def test_a_single_time_needs_its_time_of_day() -> None:
    assert "no time of day" in refusal("2026-12-24").message


def test_a_single_time_that_does_not_exist_is_refused_when_gaps_are_omitted() -> None:
    assert refusal("2027-03-28T03:30", gap="omit").code == "never_fires"


def test_a_delay_counts_from_now_to_the_microsecond() -> None:
    schedule = compiled("in 20 minutes")
    assert [slot.at for slot in schedule.slots_after(NOW)] == [NOW + timedelta(minutes=20)]
    assert schedule.next_after(NOW + timedelta(minutes=20)) is None


def test_an_interval_counts_from_the_whole_second_of_its_creation() -> None:
    schedule = compiled("every 15m", timezone="UTC")
    assert local_times(schedule, 2) == ["2026-11-22T10:35", "2026-11-22T10:50"]
    assert next(schedule.slots_after(NOW)).at.microsecond == 0


def test_an_interval_keeps_the_phase_of_its_start() -> None:
    schedule = compiled("1h", kind="interval", start_at="2020-01-01T00:10")
    assert local_times(schedule, 2) == ["2026-11-22T13:10", "2026-11-22T14:10"]


def test_an_interval_begins_at_its_start_and_not_before() -> None:
    schedule = compiled("every 1d", start_at="2026-12-01T00:00")
    assert local_times(schedule, 2) == ["2026-12-01T00:00", "2026-12-02T00:00"]


def test_a_rule_without_start_is_anchored_at_the_midnight_of_its_creation() -> None:
    schedule = compiled("FREQ=HOURLY;INTERVAL=5")
    assert schedule.anchor == datetime.fromisoformat("2026-11-22T00:00")
    assert schedule.start_at is None
    assert local_times(schedule, 3) == ["2026-11-22T15:00", "2026-11-22T20:00", "2026-11-23T01:00"]


def test_a_rule_never_names_what_lies_before_its_creation() -> None:
    schedule = compiled("FREQ=HOURLY")
    assert local_times(schedule, 1, NOW - timedelta(days=9)) == ["2026-11-22T13:00"]


def test_without_start_what_lies_before_the_creation_does_not_count() -> None:
    """Behaviour 2: five fires in the task's life."""
    schedule = compiled("FREQ=DAILY;COUNT=5;BYHOUR=12;BYMINUTE=0")
    assert local_times(schedule, 9) == [f"2026-11-{day}T12:00" for day in range(23, 28)]


def test_with_a_start_everything_counts_from_it() -> None:
    schedule = compiled("FREQ=DAILY;COUNT=5", start_at="2026-11-20T12:00")
    assert local_times(schedule, 9) == ["2026-11-23T12:00", "2026-11-24T12:00"]


def test_a_count_ends_also_after_a_restart() -> None:
    stored = json.dumps(compiled("FREQ=DAILY;COUNT=3;BYHOUR=9").to_dict())
    restarted = Schedule.from_dict(json.loads(stored))
    after, names = NOW, list[str]()
    while (occurrence := restarted.next_after(after)) is not None:
        names.append(f"{occurrence.local:%d}")
        after = occurrence.at
        restarted = Schedule.from_dict(restarted.to_dict())
    assert names == ["23", "24", "25"]


def test_a_count_with_gap_omit_does_not_count_what_does_not_exist() -> None:
    rule, start = "FREQ=DAILY;COUNT=4", "2027-03-26T03:30"
    omitting = compiled(rule, start_at=start, gap="omit")
    assert local_times(omitting, 9)[-1] == "2027-03-30T03:30"
    assert local_times(compiled(rule, start_at=start), 9)[-1] == "2027-03-29T03:30"


def test_a_quarterly_rule_keeps_its_phase_over_a_restart() -> None:
    """Behaviour 3."""
    created = datetime(2024, 1, 1, tzinfo=UTC)
    rule = "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;BYHOUR=9"
    schedule = compiled(rule, now=created, start_at="2024-01-01T00:00", timezone="UTC")
    restarted = Schedule.from_dict(schedule.to_dict())
    assert local_times(restarted, 1, datetime(2024, 2, 10, tzinfo=UTC)) == ["2024-04-01T09:00"]


def test_weekdays_are_monday_to_friday() -> None:
    """Behaviour 1."""
    sunday = datetime(2025, 6, 1, 12, tzinfo=UTC)
    schedule = compiled("0 8 * * 1-5", now=sunday)
    assert [slot[8:10] for slot in local_times(schedule, 6, sunday)] == [
        "02",
        "03",
        "04",
        "05",
        "06",
        "09",
    ]


@pytest.mark.parametrize("day", ["0", "7", "SUN"])
def test_sunday_is_sunday(day: str) -> None:
    schedule = compiled(f"0 9 * * {day}")
    assert local_times(schedule, 2) == ["2026-11-29T09:00", "2026-12-06T09:00"]


@pytest.mark.parametrize(
    "expr",
    [
        "FREQ=INVALID",
        "BYDAY=MO",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=WEEKLY;BYDAY=1MO,2TU",
        "",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "0 0 30 2 *",
    ],
)
@pytest.mark.parametrize("kind", ["auto", "rrule"])
def test_mistakes_are_refused_when_stored(expr: str, kind: str) -> None:
    """Behaviour 4."""
    error = refusal(expr, kind=kind)
    assert error.code in {"invalid_schedule", "never_fires"}
    assert error.field == "schedule_expr"


@pytest.mark.parametrize("timezone", ["UTC", "America/Argentina/Buenos_Aires"])
def test_zones_are_accepted(timezone: str) -> None:
    assert compiled("0 9 * * *", timezone=timezone).timezone == timezone


@pytest.mark.parametrize(
    ("expr", "more", "code"),
    [
        ("FREQ=SECONDLY", {}, "interval_too_short"),
        ("every 59s", {}, "interval_too_short"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0,30", {}, "interval_too_short"),
        ("FREQ=DAILY;BYHOUR=9\nRDATE:20270101T100000,20270101T100001", {}, "interval_too_short"),
        ("every 5000d", {}, "too_far"),
        ("in 11w", {}, None),
        ("FREQ=YEARLY;UNTIL=20200101T000000Z", {}, "never_fires"),
        ("FREQ=DAILY;COUNT=2", {"start_at": "2026-11-01T09:00"}, "never_fires"),
        ("FREQ=SECONDLY;INTERVAL=61", {}, None),
        ("* * * * *", {}, None),
    ],
)
def test_limits_are_kept(expr: str, more: dict[str, Any], code: str | None) -> None:
    limits = ScheduleLimits(min_interval=timedelta(seconds=60))
    if code is None:
        assert compile_schedule(asked(expr, **more), now=NOW, limits=limits).expr == expr
        return
    with pytest.raises(InvalidInput) as refused:
        compile_schedule(asked(expr, **more), now=NOW, limits=limits)
    assert (refused.value.code, refused.value.field) == (code, "schedule_expr")


def test_a_cron_faster_than_the_limit_is_refused() -> None:
    limits = ScheduleLimits(min_interval=timedelta(minutes=10))
    with pytest.raises(InvalidInput, match="every 5 minutes"):
        compile_schedule(asked("*/5 * * * *"), now=NOW, limits=limits)


def test_a_rule_that_ended_says_when() -> None:
    error = refusal("FREQ=DAILY;COUNT=2", start_at="2026-11-01T09:00")
    assert "its last occurrence was Mon 2 Nov 2026 at 09:00" in error.message


def test_a_rule_whose_every_slot_is_excluded_never_fires() -> None:
    error = refusal("2026-12-24T18:00", exclude=("2026-12-24",))
    assert (error.code, error.field) == ("never_fires", "exclude")


def test_the_end_is_inclusive_and_a_date_lasts_all_day() -> None:
    to_the_minute = compiled("0 9 * * *", end_at="2026-11-24T09:00")
    whole_day = compiled("0 9 * * *", end_at="2026-11-24")
    just_before = compiled("0 9 * * *", end_at="2026-11-24T08:59:59")
    assert [len(local_times(each, 9)) for each in (to_the_minute, whole_day, just_before)] == [
        2,
        2,
        1,
    ]
    assert whole_day.end_at == datetime(2026, 11, 24, 21, 59, 59, 999_999, tzinfo=UTC)


def test_cron_begins_at_its_start() -> None:
    schedule = compiled("0 9 * * *", start_at="2026-12-01T09:00")
    assert local_times(schedule, 1) == ["2026-12-01T09:00"]
    assert schedule.start_at == datetime.fromisoformat("2026-12-01T09:00")


def test_a_start_with_an_offset_is_local_time_in_the_zone() -> None:
    schedule = compiled("FREQ=DAILY", start_at="2026-12-01T09:00:00Z")
    assert schedule.start_at == datetime.fromisoformat("2026-12-01T11:00")
    assert local_times(schedule, 1) == ["2026-12-01T11:00"]


def test_exdate_wins_over_rdate_and_a_bare_date_removes_its_day() -> None:
    schedule = compiled(
        "FREQ=DAILY;BYHOUR=9;UNTIL=20261126\n"
        "RDATE:20261130T100000,20261201T100000Z,20261130T100000\n"
        "EXDATE:20261123,20261130T080000Z"
    )
    assert local_times(schedule, 9) == [
        "2026-11-24T09:00",
        "2026-11-25T09:00",
        "2026-11-26T09:00",
        "2026-12-01T12:00",
    ]


def test_until_in_utc_is_compared_as_an_instant() -> None:
    schedule = compiled("FREQ=DAILY;BYHOUR=9;UNTIL=20261124T070000Z")
    assert local_times(schedule, 9) == ["2026-11-23T09:00", "2026-11-24T09:00"]


@pytest.mark.parametrize("expr", ["in 20m", "every 90s", "2026-12-24T18:00", "0 9 * * 1-5"])
def test_what_is_stored_is_json_and_reads_back_equal(expr: str) -> None:
    schedule = compiled(expr, end_at="2027-01-01", exclude=("2026-12-25",), gap="omit")
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule


def test_a_stored_zone_that_is_gone_is_an_error_and_never_utc() -> None:
    stored = compiled("0 9 * * *").to_dict() | {"timezone": "Europe/Atlantis"}
    with pytest.raises(InvalidInput) as refused:
        Schedule.from_dict(stored)
    assert refused.value.code == "unknown_timezone"


def test_a_stored_rule_without_its_anchor_is_a_fault() -> None:
    stored = compiled("FREQ=DAILY").to_dict()
    del stored["anchor"]
    with pytest.raises(ValueError, match="needs its anchor"):
        Schedule.from_dict(stored)


def test_a_question_beyond_the_calendar_has_no_answer() -> None:
    schedule = compiled("0 9 * * *")
    assert schedule.next_after(datetime(9991, 1, 1, tzinfo=UTC)) is None
