"""Zones come from the pinned wheel, by exact names, and say how local times map to instants."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ordinaut_mcp.domain.zone import (
    TZDATA_VERSION,
    change_between,
    to_instant,
    to_local,
    zone,
    zone_names,
)
from ordinaut_mcp.errors import InvalidInput

CHISINAU = "Europe/Chisinau"


@pytest.mark.parametrize(
    "key", ["UTC", "America/Argentina/Buenos_Aires", "Europe/Kiev", "Asia/Kathmandu", "Etc/GMT-2"]
)
def test_a_name_of_the_wheel_is_a_zone_and_always_the_same_object(key: str) -> None:
    assert zone(key) is zone(key)
    assert zone(key).key == key


@pytest.mark.parametrize(
    "key",
    [
        "Invalid/Timezone",
        "Bogus/Zone",
        "localtime",
        "Factory",
        "posixrules",
        "right/UTC",
        "posix/UTC",
        "PST",
        "+02:00",
        "europe/paris",
        "UTC\n",
        " UTC",
        "",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "Europe\\Paris",
        "tzdata.zi",
        "UTC\x00",
        "х" * 10_000,
    ],
)
def test_anything_else_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone(key)
    assert (refused.value.code, refused.value.field) == ("unknown_timezone", "timezone")
    assert len(refused.value.message) < 500
    assert refused.value.allowed


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("europe/paris", "Europe/Paris"),
        ("UTC\n", "UTC"),
        ("right/UTC", "UTC"),
        ("Europe\\Paris", "Europe/Paris"),
        ("America/New York", "America/New_York"),
        ("pst", "America/Los_Angeles"),
        ("Tokyo", "Asia/Tokyo"),
        ("Europe/Chisinou", "Europe/Chisinau"),
    ],
)
def test_a_slip_is_answered_with_the_name_that_was_meant(key: str, near: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone(key)
    assert refused.value.allowed is not None
    assert refused.value.allowed[0] == near
    assert near in (refused.value.hint or "")


def test_an_offset_is_told_that_it_is_no_zone() -> None:
    with pytest.raises(InvalidInput) as refused:
        zone("+02:00")
    assert "no zone" in (refused.value.hint or "")


def test_what_is_no_text_is_no_zone() -> None:
    with pytest.raises(InvalidInput, match="no time zone '5'"):
        zone(5)


def test_the_machines_own_zones_change_nothing(tmp_path: os.PathLike[str]) -> None:
    """In 2025b Chisinau changes an hour earlier than in the wheel's 2026f."""
    asked = (
        "from datetime import datetime, UTC; from ordinaut_mcp.domain.zone import *;"
        "at = datetime(2027, 3, 28, 0, 30, tzinfo=UTC);"
        f"assert str(offset_at(at, zone('{CHISINAU}'))) == '2:00:00'"
    )
    for path in ("/usr/share/zoneinfo", str(tmp_path), ""):
        environment = {**os.environ, "PYTHONTZPATH": path}
        done = subprocess.run([sys.executable, "-c", asked], env=environment, check=False)
        assert done.returncode == 0, path


def test_the_version_is_that_of_iana() -> None:
    assert TZDATA_VERSION == "2026f"


def test_every_listed_zone_can_be_read() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert all(to_local(at, zone(name)).year == 2026 for name in zone_names())
    assert len(zone_names()) > 590


def test_a_time_in_a_gap_is_shifted_or_left_out() -> None:
    local, tz = datetime.fromisoformat("2027-03-28T03:30"), zone(CHISINAU)
    assert to_instant(local, tz) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert to_local(datetime(2027, 3, 28, 1, 30, tzinfo=UTC), tz) == datetime.fromisoformat(
        "2027-03-28T04:30"
    )
    assert to_instant(local, tz, "omit") is None


@pytest.mark.parametrize("gap", ["shift", "omit"])
def test_a_repeated_time_is_the_first_of_the_two(gap: str) -> None:
    local, tz = datetime.fromisoformat("2027-10-31T03:30"), zone(CHISINAU)
    at = to_instant(local, tz, "omit" if gap == "omit" else "shift")
    assert at == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_a_clock_change_is_found_to_the_second() -> None:
    noon = datetime(2027, 3, 27, 12, 0, 0, 500, tzinfo=UTC)
    change = change_between(noon, noon + timedelta(hours=25), zone(CHISINAU))
    assert change == datetime(2027, 3, 28, 1, tzinfo=UTC)
