"""Backoff: how long a failed attempt rests, as laws and as figures."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.retry import Backoff, RetryPolicy

SECOND = timedelta(seconds=1)
FAILURES = st.integers(min_value=1, max_value=10_000)
POLICIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 100),
    backoff=st.sampled_from(Backoff),
    base=st.timedeltas(timedelta(0), timedelta(hours=1)),
    longest=st.timedeltas(timedelta(hours=1), timedelta(days=7)),
)


@given(policy=POLICIES, failure=FAILURES, seed=st.integers())
def test_no_rest_is_negative_or_above_the_longest(
    policy: RetryPolicy, failure: int, seed: int
) -> None:
    assert timedelta(0) <= policy.rest_after(failure, Random(seed)) <= policy.longest


@given(policy=POLICIES, failure=FAILURES, seed=st.integers())
def test_there_is_a_delay_exactly_while_retries_are_left(
    policy: RetryPolicy, failure: int, seed: int
) -> None:
    is_left = policy.delay_after(failure, Random(seed)) is not None

    assert is_left == (failure <= policy.max_retries)


@pytest.mark.parametrize(
    ("failure", "low", "high"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (10, 150, 300)]
)
@given(seed=st.integers())
def test_jitter_draws_between_half_and_the_whole_of_each_step(
    failure: int, low: float, high: float, seed: int
) -> None:
    rest = RetryPolicy().rest_after(failure, Random(seed))

    assert low * SECOND <= rest <= high * SECOND


def test_without_jitter_the_rests_double_up_to_the_longest() -> None:
    policy = RetryPolicy(backoff=Backoff.EXPONENTIAL, longest=10 * SECOND)

    rests = [policy.rest_after(failure, Random(1)) / SECOND for failure in range(1, 7)]

    assert rests == [1, 2, 4, 8, 10, 10]


def test_fixed_rests_are_all_the_same() -> None:
    policy = RetryPolicy(backoff=Backoff.FIXED, base=7 * SECOND)

    assert {policy.rest_after(failure, Random(1)) for failure in range(1, 50)} == {7 * SECOND}


def test_three_retries_are_four_attempts_by_default() -> None:
    policy = RetryPolicy()
    delays = [policy.delay_after(failure, Random(1)) for failure in (1, 2, 3, 4)]

    assert [delay is not None for delay in delays] == [True, True, True, False]


def test_the_rest_is_the_same_for_the_same_random() -> None:
    policy = RetryPolicy()

    assert policy.rest_after(3, Random(5)) == policy.rest_after(3, Random(5))


@given(policy=POLICIES)
def test_a_policy_is_read_back_as_it_was(policy: RetryPolicy) -> None:
    assert RetryPolicy.from_dict(policy.to_dict()) == policy
