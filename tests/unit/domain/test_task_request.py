"""What a caller asks of a task, whatever the words it came in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.domain.task import Overlap, Policies
from ordinaut_mcp.domain.task_request import (
    kept,
    merged,
    plain_request,
    policies,
    same_schedule,
    schedule_request,
)
from ordinaut_mcp.errors import InvalidInput, NotAvailable
from tests.doubles.definitions import NOTHING, a_definition

STEPS = [NOTHING]
PLAIN = {"title": "Test", "schedule_expr": "every 1h", "pipeline": STEPS}


def plain(**given: Any) -> dict[str, Any]:
    return plain_request(given, default_timezone="Europe/Chisinau")


def refused(**given: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as error:
        plain(**given)
    return error.value


def rules(expr: str = "every 1h", **request: Any) -> Policies:
    return policies(request, a_definition(expr=expr).schedule)


def test_defaults_are_filled_in() -> None:
    request = plain(**PLAIN)

    assert (request["timezone"], request["schedule_kind"]) == ("Europe/Chisinau", "auto")


def test_a_payload_is_opened() -> None:
    request = plain(payload={"pipeline": STEPS, "params": {"a": 1}})

    assert (request["pipeline"], request["params"]) == (STEPS, {"a": 1})
    assert "payload" not in request


def test_the_names_of_the_seed_mean_the_same() -> None:
    request = plain(pipeline=STEPS, dedupe_key="k", backoff_strategy="fixed")

    assert (request["key"], request["backoff"]) == ("k", "fixed")


def test_the_same_argument_twice_is_well_when_both_say_the_same() -> None:
    assert plain(pipeline=STEPS, key="k", dedupe_key="k")["key"] == "k"


def test_the_same_argument_twice_with_two_values_is_refused() -> None:
    error = refused(pipeline=STEPS, key="a", dedupe_key="b")

    assert (error.code, error.field) == ("conflicting_arguments", "dedupe_key")


def test_a_null_is_no_argument() -> None:
    assert "tags" not in plain(**PLAIN, tags=None)


def test_a_task_without_anything_to_do_is_refused() -> None:
    error = refused(title="Test")

    assert (error.code, error.field) == ("missing", "pipeline")


def test_a_payload_and_a_pipeline_are_one_too_many() -> None:
    error = refused(pipeline=STEPS, payload={"pipeline": STEPS})

    assert (error.code, error.field) == ("conflicting_arguments", "payload")


def test_an_unknown_part_of_a_payload_is_refused_with_the_nearest_name() -> None:
    error = refused(payload={"pipelin": STEPS})

    assert (error.code, error.field) == ("unknown_field", "payload.pipelin")
    assert error.hint == "Did you mean 'pipeline'?"


def test_params_of_a_payload_that_are_no_object_are_refused() -> None:
    error = refused(payload={"pipeline": STEPS, "params": [1]})

    assert (error.code, error.field) == ("wrong_type", "payload.params")


@pytest.mark.parametrize("name", ["message", "agent"])
def test_what_is_not_built_yet_is_refused_and_never_ignored(name: str) -> None:
    with pytest.raises(NotAvailable) as error:
        plain(**PLAIN, **{name: "x"})

    assert (error.value.code, error.value.field) == ("not_available", name)
    assert error.value.hint


@pytest.mark.parametrize("key", ["task_1", "task_99"])
def test_a_key_that_looks_like_an_id_is_refused(key: str) -> None:
    error = refused(**PLAIN, key=key)

    assert (error.code, error.field) == ("invalid_key", "key")


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("title", "a\nb", "title"),
        ("title", "\u202eevil", "title"),
        ("title", "   ", "title"),
        ("key", "a\x07", "key"),
        ("tags", ["ok", "a\u2028b"], "tags[1]"),
    ],
)
def test_text_of_one_line_is_one_line(name: str, value: Any, field: str) -> None:
    assert refused(**{**PLAIN, name: value}).field == field


def test_a_revision_keeps_what_was_asked_and_nothing_else() -> None:
    request = plain(**PLAIN, key="k", paused=True, dry_run=True, priority=9)

    assert kept(request) == {
        **PLAIN,
        "priority": 9,
        "timezone": "Europe/Chisinau",
        "schedule_kind": "auto",
    }


def test_an_edit_is_laid_over_what_was_asked() -> None:
    assert merged({**PLAIN, "priority": 1}, {"priority": 9}) == {**PLAIN, "priority": 9}


def test_an_explicit_null_takes_a_part_away() -> None:
    old = {**PLAIN, "tags": ["a"], "backoff": "fixed"}

    assert merged(old, {"tags": None, "backoff_strategy": None}) == PLAIN


def test_a_payload_in_an_edit_takes_the_place_of_the_pipeline() -> None:
    other = [{**NOTHING, "id": "other"}]

    assert merged(PLAIN, {"payload": {"pipeline": other}})["pipeline"] == other


def test_schedules_are_compared_as_text() -> None:
    assert same_schedule({**PLAIN, "priority": 1}, {**PLAIN, "title": "Other"})
    assert not same_schedule(PLAIN, {**PLAIN, "schedule_expr": "every 60m"})
    assert not same_schedule(PLAIN, {**PLAIN, "exclude": ["2026-12-25"]})


def test_a_request_says_when() -> None:
    given = plain(**PLAIN, start_at="2027-01-01T00:00", exclude=["2027-01-02"], gap="omit")
    request = schedule_request(given)

    assert (request.expr, request.kind, request.timezone) == (
        "every 1h",
        "auto",
        "Europe/Chisinau",
    )
    assert (request.start_at, request.exclude, request.gap) == (
        "2027-01-01T00:00",
        ("2027-01-02",),
        "omit",
    )


def test_a_request_without_a_time_is_refused() -> None:
    with pytest.raises(InvalidInput) as error:
        schedule_request(plain(pipeline=STEPS))

    assert (error.value.code, error.value.field) == ("missing", "schedule_expr")


def test_the_rules_have_the_defaults_of_the_interface() -> None:
    assert rules() == Policies(
        misfire="latest",
        max_lateness=timedelta(hours=12),
        overlap=Overlap.SKIP,
        priority=5,
        retry=RetryPolicy(max_retries=3, backoff=Backoff.EXPONENTIAL_JITTER),
        step_timeout=timedelta(seconds=30),
        run_timeout=timedelta(hours=6),
    )


@pytest.mark.parametrize("expr", ["in 20m", "2027-01-01T08:00"])
def test_what_happens_once_has_no_limit_of_lateness(expr: str) -> None:
    assert rules(expr).max_lateness is None
    assert rules(expr, max_lateness_seconds=60).max_lateness == timedelta(minutes=1)


def test_what_was_asked_goes_over_the_defaults() -> None:
    asked = rules(
        misfire="all",
        max_lateness_seconds=0,
        overlap="queue",
        jitter_seconds=5,
        max_runs=7,
        priority=9,
        max_retries=0,
        timeout_seconds=2.5,
        run_timeout_seconds=90,
    )

    assert (asked.misfire, asked.max_lateness, asked.overlap) == ("all", timedelta(0), "queue")
    assert (asked.jitter, asked.max_runs, asked.priority) == (timedelta(seconds=5), 7, 9)
    assert asked.retry.max_retries == 0
    assert asked.step_timeout == timedelta(seconds=2.5)
    assert asked.run_timeout == timedelta(seconds=90)


def test_backoff_is_a_word_or_an_object() -> None:
    assert rules(backoff="fixed").retry.backoff is Backoff.FIXED
    retry = rules(backoff={"strategy": "exponential", "base_seconds": 2, "max_seconds": 9}).retry
    assert (retry.backoff, retry.base, retry.longest) == (
        Backoff.EXPONENTIAL,
        timedelta(seconds=2),
        timedelta(seconds=9),
    )
    assert rules(backoff={"base_seconds": 2}).retry.backoff is Backoff.EXPONENTIAL_JITTER


@pytest.mark.parametrize(
    ("backoff", "code", "field"),
    [
        ({"base_seconds": 400}, "out_of_range", "backoff.base_seconds"),
        ({"base_seconds": 0}, "out_of_range", "backoff.base_seconds"),
        ({"base_seconds": "1"}, "wrong_type", "backoff.base_seconds"),
        ({"strategy": "sometimes"}, "not_allowed", "backoff.strategy"),
        ({"stratgy": "fixed"}, "unknown_field", "backoff.stratgy"),
    ],
)
def test_a_backoff_that_makes_no_sense_names_its_part(
    backoff: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        rules(backoff=backoff)

    assert (error.value.code, error.value.field) == (code, field)
