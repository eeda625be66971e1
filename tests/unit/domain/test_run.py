"""What a run is called, and how late it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.run import (
    LIVE,
    Run,
    RunId,
    RunKind,
    RunState,
    TaskId,
    no_such_run,
    parse_run_name,
    run_name,
)
from ordinaut_mcp.errors import NotFound

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(number=st.integers(1, 10**18 - 1))
def test_a_name_is_read_back(number: int) -> None:
    assert parse_run_name(run_name(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "run",
        "run_",
        "run_0",
        "run_01",
        "run_-1",
        "run_1 ",
        "run_1\n",
        "RUN_1",
        "task_1",
        "1",
        "run_١",
        "run_" + "9" * 19,
        "run_1; DROP TABLE run",
    ],
)
def test_what_is_no_run_is_not_found(text: str) -> None:
    with pytest.raises(NotFound) as refused:
        parse_run_name(text)

    assert (refused.value.code, refused.value.field) == ("not_found", "run")
    assert "list_runs" in (refused.value.hint or "")


def test_a_long_name_is_cut_where_it_is_shown() -> None:
    message = no_such_run("x" * 1_000).message

    assert "x" * 60 + "…" in message
    assert "x" * 61 not in message


def a_run(started_after: timedelta | None) -> Run:
    return Run(
        id=RunId(1),
        task_id=TaskId(1),
        title="Test",
        timezone="UTC",
        kind=RunKind.SCHEDULE,
        state=RunState.RUNNING,
        reason=None,
        scheduled_for=NOON,
        due_at=NOON + timedelta(seconds=10),
        started_at=None if started_after is None else NOON + started_after,
        finished_at=None,
        attempt=1,
        error=None,
        executed=None,
        verified=None,
        delivered=None,
    )


@pytest.mark.parametrize(
    ("started_after", "expected"),
    [
        (None, None),
        (timedelta(seconds=10), 0),
        (timedelta(seconds=11, microseconds=234_500), 1_234),
        (timedelta(seconds=9), 0),
        (timedelta(days=1), 86_390_000),
    ],
)
def test_lateness_is_started_minus_due(
    started_after: timedelta | None, expected: int | None
) -> None:
    assert a_run(started_after).lateness_ms == expected


def test_a_run_lives_until_it_has_ended() -> None:
    ended = {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.SKIPPED}

    assert set(RunState) - LIVE == ended
