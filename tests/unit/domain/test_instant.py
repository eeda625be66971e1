"""Instants as callers write them, and as they are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.instant import local_text, parse_instant, spoken, utc_text
from ordinaut_mcp.errors import InvalidInput

CHISINAU = "Europe/Chisinau"
EVENING = datetime(2026, 12, 24, 16, tzinfo=UTC)
INSTANTS = st.integers(-600_000_000, 5_600_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, tz=UTC)
)


def parsed(text: str) -> datetime:
    return parse_instant(text, field="until", timezone=CHISINAU)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-24T18:00", EVENING),
        ("2026-12-24 18:00", EVENING),
        ("2026-12-24T18:00:00", EVENING),
        ("2026-12-24T16:00Z", EVENING),
        ("2026-12-24T18:00+02:00", EVENING),
        ("2026-12-24T18:00+0200", EVENING),
        ("2026-12-24T11:00:00.000-05:00", EVENING),
        ("2026-12-24", datetime(2026, 12, 23, 22, tzinfo=UTC)),
        ("2026-07-01T09:00", datetime(2026, 7, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_local_to_the_zone_unless_it_has_an_offset(text: str, expected: datetime) -> None:
    assert parsed(text) == expected


def test_a_local_time_that_the_clocks_skip_is_moved_forward() -> None:
    # 29 March 2026, 03:00 becomes 04:00 in Chișinău.
    assert parsed("2026-03-29T03:30") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-13-01",
        "2026-02-30T10:00",
        "2026-12-24T25:00",
        "24.12.2026",
        "20261224T180000",
        "2026-W52-4",
        "2026-12-24T18",
        "2026-12-24T18:00+25:00",
        "0001-01-01T00:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-١٢-٢٤",
        "2026-12-24T18:00\n",
        "x" * 10_000,
    ],
)
def test_what_is_no_instant_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed(text)

    assert (refused.value.code, refused.value.field) == ("invalid_instant", "until")
    assert len(refused.value.message) < 100
    assert CHISINAU in (refused.value.hint or "")


def test_an_unknown_zone_is_not_taken_for_a_bad_time() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_instant("2026-12-24T18:00", field="until", timezone="Bogus/Zone")

    assert refused.value.code == "unknown_timezone"


@given(instant=INSTANTS)
def test_what_is_told_can_be_read_back(instant: datetime) -> None:
    assert parsed(utc_text(instant)) == instant


def test_an_instant_is_told_with_the_offset_of_its_zone() -> None:
    assert local_text(EVENING, CHISINAU) == "2026-12-24T18:00:00+02:00"
    assert utc_text(EVENING) == "2026-12-24T16:00:00Z"


def test_in_a_zone_that_tzdata_has_dropped_it_is_told_in_utc() -> None:
    assert local_text(EVENING, "Europe/Atlantis") == "2026-12-24T16:00:00+00:00"
    assert spoken(EVENING, "Europe/Atlantis") == "Thu 24 Dec 2026 16:00"


def test_seconds_are_spoken_where_they_matter() -> None:
    assert spoken(EVENING, CHISINAU) == "Thu 24 Dec 2026 18:00"
    assert spoken(EVENING.replace(second=7), CHISINAU) == "Thu 24 Dec 2026 18:00:07"
