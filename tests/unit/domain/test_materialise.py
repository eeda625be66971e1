"""What becomes of a due task's slots: a run, a skip with its reason, or still to come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ordinaut_mcp.domain.decision import DueTask
from ordinaut_mcp.domain.materialise import account_for, slot_key
from ordinaut_mcp.domain.run import RunKind, TaskId
from ordinaut_mcp.domain.task import Overlap, Policies, TaskStatus
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.errors import Conflict
from tests.doubles.definitions import NOON, a_definition

HOUR = timedelta(hours=1)
FIRST = NOON + HOUR
"""The first slot of a task that was made at noon and runs every hour."""


def due(
    policies: Policies | None = None,
    *,
    expr: str = "every 1h",
    live_runs: int = 0,
    runs_started: int = 0,
    first: datetime = FIRST,
) -> DueTask:
    definition = a_definition(expr=expr, policies=policies)
    return DueTask(
        generation=1,
        id=TaskId(7),
        definition=definition.to_dict(),
        next_run_at=first,
        runs_started=runs_started,
        live_runs=live_runs,
    )


def test_a_punctual_slot_becomes_one_run_of_its_instant() -> None:
    result = account_for(due(Policies(priority=9)), FIRST)

    [run] = result.runs
    assert (run.kind, run.scheduled_for, run.due_at) == (RunKind.SCHEDULE, FIRST, FIRST)
    assert (run.slot_key, run.priority, run.serial) == (slot_key(FIRST), 9, True)
    assert (result.next_run_at, result.status) == (FIRST + HOUR, TaskStatus.ACTIVE)
    assert (result.skips, result.note, result.tz_version) == ([], None, TZDATA_VERSION)


def test_the_newest_slot_is_remembered_with_its_local_time() -> None:
    result = account_for(due(), FIRST + 2 * HOUR)

    assert result.last_slot_at == FIRST + 2 * HOUR
    # Chișinău is two hours ahead in winter.
    assert result.last_slot_local == (FIRST + 4 * HOUR).replace(tzinfo=None)


def test_the_key_of_a_slot_is_its_instant_in_utc() -> None:
    assert slot_key(FIRST) == "at:2026-01-01T13:00:00+00:00"


def test_before_its_time_nothing_becomes_of_a_task() -> None:
    result = account_for(due(), FIRST - HOUR / 2)

    assert (list(result.runs), list(result.skips)) == ([], [])
    assert (result.next_run_at, result.last_slot_at) == (FIRST, None)


def test_of_missed_slots_the_latest_runs_and_the_others_are_one_skip() -> None:
    result = account_for(due(), FIRST + 5 * HOUR + HOUR / 2)

    assert [run.scheduled_for for run in result.runs] == [FIRST + 5 * HOUR]
    [skip] = result.skips
    assert (skip.reason, skip.first, skip.last) == ("late", FIRST, FIRST + 4 * HOUR)
    assert (skip.count, skip.is_exact) == (5, True)


def test_misfire_all_runs_each_missed_slot_one_after_another() -> None:
    result = account_for(due(Policies(misfire="all")), FIRST + 2 * HOUR)

    assert [run.scheduled_for for run in result.runs] == [FIRST, FIRST + HOUR, FIRST + 2 * HOUR]
    assert all(run.serial for run in result.runs)


def test_misfire_skip_runs_nothing_that_is_late() -> None:
    result = account_for(due(Policies(misfire="skip")), FIRST + HOUR / 2)

    assert list(result.runs) == []
    assert [skip.reason for skip in result.skips] == ["late"]


def test_what_is_later_than_allowed_is_skipped() -> None:
    policies = Policies(max_lateness=timedelta(minutes=10))

    assert list(account_for(due(policies), FIRST + HOUR / 2).runs) == []
    assert len(account_for(due(policies), FIRST + HOUR / 6).runs) == 1


def test_while_an_earlier_run_is_unfinished_a_slot_is_an_overlap() -> None:
    result = account_for(due(live_runs=1), FIRST)

    assert list(result.runs) == []
    [skip] = result.skips
    assert (skip.reason, skip.first, skip.last, skip.count) == ("overlap", FIRST, FIRST, 1)


@pytest.mark.parametrize(
    ("overlap", "serial", "ends"),
    [
        (Overlap.QUEUE, True, False),
        (Overlap.ALLOW, False, False),
        (Overlap.CANCEL_RUNNING, True, True),
    ],
)
def test_other_ways_to_overlap_make_the_run(overlap: Overlap, serial: bool, ends: bool) -> None:
    result = account_for(due(Policies(overlap=overlap), live_runs=3), FIRST)

    [run] = result.runs
    assert (run.serial, result.ends_older_runs) == (serial, ends)


def test_caught_up_slots_do_not_keep_each_other_out() -> None:
    result = account_for(due(Policies(misfire="all", overlap=Overlap.SKIP)), FIRST + HOUR)

    assert len(result.runs) == 2


def test_the_last_of_max_runs_completes_the_task() -> None:
    result = account_for(due(Policies(max_runs=3), runs_started=2), FIRST)

    assert len(result.runs) == 1
    assert (result.status, result.next_run_at) == (TaskStatus.COMPLETED, None)


def test_before_the_last_of_max_runs_the_task_goes_on() -> None:
    result = account_for(due(Policies(max_runs=3), runs_started=1), FIRST)

    assert (result.status, result.next_run_at) == (TaskStatus.ACTIVE, FIRST + HOUR)


def test_slots_beyond_max_runs_are_accounted_for() -> None:
    rules = Policies(misfire="all", max_runs=2)
    result = account_for(due(rules), FIRST + 3 * HOUR)

    assert [run.scheduled_for for run in result.runs] == [FIRST, FIRST + HOUR]
    [skip] = result.skips
    assert (skip.reason, skip.first, skip.count) == ("max_runs", FIRST + 2 * HOUR, 2)
    assert result.status is TaskStatus.COMPLETED


def test_an_overlap_does_not_use_up_max_runs() -> None:
    result = account_for(due(Policies(max_runs=1), live_runs=1), FIRST)

    assert result.status is TaskStatus.ACTIVE


def test_what_happens_once_completes_its_task() -> None:
    result = account_for(due(expr="in 1h"), FIRST)

    assert [run.scheduled_for for run in result.runs] == [FIRST]
    assert (result.status, result.next_run_at) == (TaskStatus.COMPLETED, None)


def test_jitter_moves_the_start_and_never_the_slot() -> None:
    policies = Policies(jitter=timedelta(minutes=10))
    [run] = account_for(due(policies), FIRST).runs
    [again] = account_for(due(policies), FIRST).runs

    assert run.scheduled_for == FIRST
    assert FIRST < run.due_at < FIRST + timedelta(minutes=10)
    assert run == again


def test_jitter_keeps_the_order_of_caught_up_slots() -> None:
    policies = Policies(jitter=timedelta(days=1), misfire="all")
    runs = account_for(due(policies), FIRST + 4 * HOUR).runs

    assert all(run.due_at < run.scheduled_for + HOUR for run in runs)
    assert [run.due_at for run in runs] == sorted(run.due_at for run in runs)


def test_a_task_in_a_zone_that_has_gone_is_refused_and_never_becomes_utc() -> None:
    task = due()
    schedule = {**task.definition["schedule"], "timezone": "Europe/Atlantis"}
    stuck = DueTask(
        generation=1,
        id=task.id,
        definition={**task.definition, "schedule": schedule},
        next_run_at=FIRST,
        runs_started=0,
        live_runs=0,
    )

    with pytest.raises(Conflict, match="Europe/Atlantis"):
        account_for(stuck, FIRST)
