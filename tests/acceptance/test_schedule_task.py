"""schedule_task: what it answers, and what asking again for a key does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.session import Session
from tests.acceptance.tasks import FAR, task, value_step
from tests.acceptance.waiting import eventually

ZONE = "Europe/Chisinau"


def test_a_new_task_is_answered_whole_with_its_next_occurrences(session: Session, key: str) -> None:
    saved = session.call(
        "schedule_task",
        **task(
            key=key,
            pipeline=[value_step(key)],
            schedule_expr="0 9 1 3 *",
            start_at="2031-01-01T00:00",
            timezone=ZONE,
            tags=["spring"],
            description="Once a year",
        ),
    )
    assert saved["created"] is True
    assert saved["warnings"] == []
    assert saved["next"] == [
        {
            "local": f"{year}-03-01T09:00:00+02:00",
            "utc": f"{year}-03-01T07:00:00Z",
            "note": None,
        }
        for year in (2031, 2032, 2033)
    ]
    stored = saved["task"]
    assert stored["id"].startswith("task_")
    assert stored["key"] == key
    assert stored["title"] == "Probe"
    assert stored["description"] == "Once a year"
    assert stored["tags"] == ["spring"]
    assert stored["status"] == "active"
    assert stored["note"] is None
    assert stored["schedule_kind"] == "cron"
    assert stored["schedule_expr"] == "0 9 1 3 *"
    assert stored["timezone"] == ZONE
    assert stored["generation"] == 1
    assert stored["owner"] == "tester"
    assert stored["next_run_at"] == {
        "local": "2031-03-01T09:00:00+02:00",
        "utc": "2031-03-01T07:00:00Z",
    }
    assert stored["payload"] == {"pipeline": [value_step(key)], "params": {}}
    assert "'Probe'" in saved["says"]
    assert "1 Mar 2031 09:00" in saved["says"]
    assert session.call("get_task", task=key)["task"] == stored


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("in 20 minutes", "in"),
        ("20m", "in"),
        ("PT20M", "in"),
        (FAR, "once"),
        ("2031-03-01T09:00:00+05:45", "once"),
        ("every 15m", "interval"),
        ("0 8 * * 1-5", "cron"),
        ("@daily", "cron"),
        ("FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0", "rrule"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0", "rrule"),
    ],
)
def test_the_kind_of_an_expression_is_recognised(session: Session, expr: str, kind: str) -> None:
    saved = session.call("schedule_task", **task(schedule_expr=expr, dry_run=True))
    assert saved["task"]["schedule_kind"] == kind


def test_the_zone_of_the_settings_holds_where_none_is_given(session: Session) -> None:
    saved = session.call("schedule_task", **task(dry_run=True))
    assert saved["task"]["timezone"] == ZONE
    assert saved["next"][0]["local"] == "2031-03-01T09:00:00+02:00"


def test_the_same_request_again_changes_nothing_and_says_so(session: Session, key: str) -> None:
    request = task(key=key, schedule_expr="in 20m")
    first = session.call("schedule_task", **request)
    again = session.call("schedule_task", **request)
    assert again["created"] is False
    assert "Nothing changed" in again["says"]
    # An unchanged 'in 20m' does not start again, and nothing was written.
    assert again["task"] == first["task"]


def test_another_request_with_the_key_changes_that_task_and_says_what(
    session: Session, key: str
) -> None:
    first = session.call("schedule_task", **task(key=key))
    changed = session.call("schedule_task", **task(key=key, schedule_expr="0 7 1 1 *"))
    assert changed["created"] is False
    assert changed["task"]["id"] == first["task"]["id"]
    assert changed["task"]["generation"] == 2
    assert changed["task"]["schedule_kind"] == "cron"
    assert "schedule_expr" in changed["says"]
    assert "title" not in changed["says"]


def test_a_canceled_task_is_made_active_anew_by_its_key(session: Session, key: str) -> None:
    first = session.call("schedule_task", **task(key=key))
    assert session.call("cancel_task", task=key)["task"]["status"] == "canceled"
    again = session.call("schedule_task", **task(key=key))
    assert again["created"] is False
    assert again["task"]["id"] == first["task"]["id"]
    assert again["task"]["status"] == "active"
    assert again["next"][0]["local"] == "2031-03-01T09:00:00+02:00"
    assert "Nothing changed" not in again["says"]


def test_a_completed_task_is_made_active_anew_by_its_key(session: Session, key: str) -> None:
    request = task(key=key, schedule_expr="in 1 second")
    session.call("schedule_task", **request)
    assert session.ended_run(key)["state"] == "succeeded"
    again = session.call("schedule_task", **request)
    assert again["created"] is False
    assert again["task"]["status"] == "active"

    def two_runs() -> list[Any] | None:
        runs = session.call("list_runs", task=key, state="succeeded")["runs"]
        return runs if len(runs) == 2 else None

    eventually(two_runs, within=30, what="it runs a second time")


def test_a_dry_run_checks_everything_and_stores_nothing(session: Session, key: str) -> None:
    trial = session.call("schedule_task", **task(key=key, dry_run=True))
    assert trial["created"] is True
    assert trial["task"]["id"] is None
    assert trial["task"]["key"] == key
    assert trial["next"][0]["utc"] == "2031-03-01T07:00:00Z"
    assert "nothing was stored" in trial["says"]
    assert session.refused("get_task", task=key)["code"] == "not_found"


def test_a_dry_run_over_a_stored_task_leaves_it_as_it_is(session: Session, key: str) -> None:
    stored = session.call("schedule_task", **task(key=key))["task"]
    trial = session.call("schedule_task", **task(key=key, title="Other", dry_run=True))
    assert trial["created"] is False
    assert trial["task"]["title"] == "Other"
    assert session.call("get_task", task=key)["task"] == stored


def test_a_payload_is_the_same_as_pipeline_and_params(session: Session, key: str) -> None:
    steps = [value_step("${params.n}")]
    flat = task(key=key, pipeline=steps, params={"n": 5})
    session.call("schedule_task", **flat)
    del flat["pipeline"], flat["params"]
    again = session.call("schedule_task", **flat, payload={"pipeline": steps, "params": {"n": 5}})
    assert again["created"] is False
    assert "Nothing changed" in again["says"]
    assert again["task"]["payload"] == {"pipeline": steps, "params": {"n": 5}}


def test_payload_and_pipeline_together_are_refused(session: Session) -> None:
    error = session.refused("schedule_task", **task(payload={"pipeline": [value_step()]}))
    assert (error["code"], error["field"]) == ("conflicting_arguments", "payload")


def test_a_task_with_nothing_to_do_is_refused(session: Session) -> None:
    error = session.refused("schedule_task", title="Probe", schedule_expr=FAR)
    assert (error["code"], error["field"]) == ("missing", "pipeline")
    assert "list_pipeline_tools" in error["hint"]


def test_the_seeds_own_names_for_key_and_backoff_work(session: Session, key: str) -> None:
    session.call("schedule_task", **task(dedupe_key=key, backoff_strategy="fixed"))
    again = session.call("schedule_task", **task(key=key, backoff="fixed"))
    assert again["created"] is False
    assert "Nothing changed" in again["says"]
    assert again["task"]["rules"]["retry"]["backoff"] == "fixed"


def test_an_argument_given_by_both_of_its_names_must_be_one_value(session: Session) -> None:
    error = session.refused("schedule_task", **task(key="one", dedupe_key="two"))
    assert error["code"] == "conflicting_arguments"
    assert error["field"] == "dedupe_key"


def test_lists_and_objects_may_come_as_json_strings(session: Session, key: str) -> None:
    text = task(
        key=key,
        pipeline=json.dumps([value_step("${params.n}")]),
        params='{"n": 5}',
        tags='["a", "b"]',
        exclude='["2031-03-02"]',
    )
    stored = session.call("schedule_task", **text)["task"]
    assert stored["payload"] == {"pipeline": [value_step("${params.n}")], "params": {"n": 5}}
    assert stored["tags"] == ["a", "b"]


def test_an_object_may_come_as_a_json_string_where_a_text_may_come_too(session: Session) -> None:
    text = '{"strategy": "fixed", "base_seconds": 2}'
    stored = session.call("schedule_task", **task(backoff=text, dry_run=True))["task"]
    assert stored["rules"]["retry"]["base_seconds"] == 2


def test_a_text_that_looks_like_json_stays_a_text(session: Session) -> None:
    saved = session.call("schedule_task", **task(title="null", description="[1, 2]", dry_run=True))
    assert saved["task"]["title"] == "null"
    assert saved["task"]["description"] == "[1, 2]"


def test_every_rule_that_was_asked_is_in_the_answer(session: Session) -> None:
    saved = session.call(
        "schedule_task",
        **task(
            schedule_expr="every 1h",
            misfire="all",
            max_lateness_seconds=600,
            overlap="queue",
            jitter_seconds=5,
            max_runs=3,
            priority=9,
            concurrency_key="mail",
            max_concurrent=2,
            max_retries=0,
            backoff={"strategy": "exponential", "base_seconds": 2, "max_seconds": 8},
            timeout_seconds=7,
            run_timeout_seconds=70,
            dry_run=True,
        ),
    )
    assert saved["task"]["rules"] == {
        "misfire": "all",
        "max_lateness_seconds": 600,
        "overlap": "queue",
        "jitter_seconds": 5,
        "max_runs": 3,
        "priority": 9,
        "concurrency_key": "mail",
        "max_concurrent": 2,
        "retry": {
            "max_retries": 0,
            "backoff": "exponential",
            "base_seconds": 2,
            "max_seconds": 8,
        },
        "timeout_seconds": 7,
        "run_timeout_seconds": 70,
    }


def test_the_rules_have_the_published_defaults(session: Session) -> None:
    ordinary = session.call("schedule_task", **task(schedule_expr="every 1h", dry_run=True))
    rules = ordinary["task"]["rules"]
    assert rules["misfire"] == "latest"
    assert rules["max_lateness_seconds"] == 12 * 3600
    assert rules["overlap"] == "skip"
    assert rules["priority"] == 5
    assert rules["max_runs"] is None
    assert rules["retry"] == {
        "max_retries": 3,
        "backoff": "exponential_jitter",
        "base_seconds": 1,
        "max_seconds": 300,
    }
    once = session.call("schedule_task", **task(dry_run=True))
    assert once["task"]["rules"]["max_lateness_seconds"] is None


def test_a_paused_task_is_stored_and_does_not_fire(session: Session, key: str) -> None:
    saved = session.call("schedule_task", **task(key=key, paused=True))
    assert saved["task"]["status"] == "paused"
    assert "paused" in saved["says"]


def test_max_runs_ends_a_task(session: Session, key: str) -> None:
    session.call("schedule_task", **task(key=key, schedule_expr="every 1s", max_runs=1))
    assert session.ended_run(key)["state"] == "succeeded"

    def completed() -> bool:
        return session.call("get_task", task=key)["task"]["status"] == "completed"

    eventually(completed, within=10, what="it is completed")
    assert len(session.call("list_runs", task=key)["runs"]) == 1


def test_warnings_name_what_is_accepted_and_odd(session: Session) -> None:
    midnight = session.call("schedule_task", **task(schedule_expr="FREQ=DAILY", dry_run=True))
    assert midnight["next"][0]["local"].split("T")[1] == "00:00:00+02:00"
    assert any("00:00" in warning for warning in midnight["warnings"])
    both_days = session.call("schedule_task", **task(schedule_expr="0 9 1 * 1", dry_run=True))
    assert len(both_days["warnings"]) == 1


def test_once_in_the_past_says_what_time_it_is_now(session: Session) -> None:
    error = session.refused("schedule_task", **task(schedule_expr="2020-01-01T09:00"))
    assert (error["code"], error["field"]) == ("in_the_past", "schedule_expr")
    assert "it is now" in error["message"]


def test_a_key_that_looks_like_an_id_is_refused(session: Session) -> None:
    error = session.refused("schedule_task", **task(key="task_12"))
    assert (error["code"], error["field"]) == ("invalid_key", "key")
