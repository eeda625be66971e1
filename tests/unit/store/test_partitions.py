"""Spans of time that have no partition any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.store.partitions import LONG_AGO, Partition, gaps, past


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def of_days(*numbers: int) -> list[Partition]:
    return [Partition("run", f"run_{number}", day(number), day(number + 1)) for number in numbers]


def test_before_the_first_partition_nothing_is_left() -> None:
    assert gaps(of_days(5, 6), until=day(7)) == [(LONG_AGO, day(5))]


def test_what_was_dropped_between_two_that_stay_is_a_gap() -> None:
    assert gaps(of_days(1, 4), until=day(9)) == [
        (LONG_AGO, day(1)),
        (day(2), day(4)),
        (day(5), day(9)),
    ]


def test_nothing_counts_from_the_end_of_retention_on() -> None:
    assert gaps(of_days(3, 8), until=day(2)) == [(LONG_AGO, day(2))]
    assert gaps(of_days(1, 5), until=day(3)) == [(LONG_AGO, day(1)), (day(2), day(3))]


def test_without_partitions_everything_old_is_one_gap() -> None:
    assert gaps([], until=day(2)) == [(LONG_AGO, day(2))]


@given(st.sets(st.integers(0, 30)), st.integers(0, 31), st.floats(0, 31))
def test_an_instant_is_in_a_gap_or_in_a_partition_and_never_in_both(
    numbers: set[int], until: int, instant: float
) -> None:
    there = of_days(*sorted(numbers))
    at = day(0) + timedelta(days=instant)
    in_gap = any(low <= at < high for low, high in gaps(there, until=day(until)))
    in_partition = any(one.low <= at < one.high for one in there)

    assert in_gap == (at < day(until) and not in_partition)


def test_a_partition_is_past_when_its_last_instant_is() -> None:
    found = past(of_days(1, 2, 3), now=day(13), keep=timedelta(days=10))

    assert [one.name for one in found] == ["run_1", "run_2"]
