"""preview_schedule and `preview`: what an expression means, in words and instants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.product import Product
from tests.acceptance.session import Session

ZONE = "Europe/Chisinau"


def test_a_preview_says_it_in_words_local_time_and_utc(session: Session) -> None:
    shown = session.call(
        "preview_schedule",
        schedule_expr="0 8 * * 1-5",
        timezone=ZONE,
        after="2025-06-01T00:00",
        count=2,
    )
    assert shown == {
        "occurrences": [
            {"local": "2025-06-02T08:00:00+03:00", "utc": "2025-06-02T05:00:00Z", "note": None},
            {"local": "2025-06-03T08:00:00+03:00", "utc": "2025-06-03T05:00:00Z", "note": None},
        ],
        "complete": False,
        "says": shown["says"],
        "timezone": ZONE,
        "tzdata": "2026f",
        "warnings": [],
    }
    assert "08:00" in shown["says"]


def test_a_series_that_ends_is_complete(session: Session) -> None:
    rule = "FREQ=DAILY;COUNT=5;BYHOUR=12;BYMINUTE=0"
    asked: dict[str, Any] = {
        "schedule_expr": rule,
        "timezone": ZONE,
        "start_at": "2030-01-01T00:00",
        "count": 50,
    }
    shown = session.call("preview_schedule", **asked)
    assert len(shown["occurrences"]) == 5
    assert shown["complete"] is True
    over = session.call("preview_schedule", **asked, after="2031-01-01T00:00")
    assert (over["occurrences"], over["complete"]) == ([], True)


def test_a_skipped_local_time_is_noted(session: Session) -> None:
    shown = session.call(
        "preview_schedule",
        schedule_expr="2027-03-28T03:30",
        timezone="Europe/Paris",
    )
    [plain] = shown["occurrences"]
    assert plain["local"] == "2027-03-28T03:30:00+02:00"
    gap = session.call(
        "preview_schedule", schedule_expr="2027-03-28T02:30", timezone="Europe/Paris"
    )
    [moved] = gap["occurrences"]
    assert moved["utc"] == "2027-03-28T01:30:00Z"
    assert moved["note"]


def test_excluded_days_are_marked_or_left_out(session: Session) -> None:
    shown = session.call(
        "preview_schedule",
        schedule_expr="0 9 * * *",
        timezone=ZONE,
        after="2030-12-24T00:00",
        exclude=["2030-12-25"],
        count=3,
    )
    firing = [one["local"][:10] for one in shown["occurrences"] if not one["note"]]
    assert firing[0] == "2030-12-24"
    assert "2030-12-25" not in firing


@pytest.mark.parametrize(
    ("expr", "code", "field"),
    [
        ("30 8 *", "invalid_schedule", "schedule_expr"),
        ("0 0 30 2 *", "never_fires", "schedule_expr"),
        ("FREQ=DAILY;INTERVAL=0", "invalid_schedule", "schedule_expr"),
    ],
)
def test_a_bad_expression_is_told_alike_over_mcp_and_by_the_command(
    session: Session, product: Product, expr: str, code: str, field: str
) -> None:
    error = session.refused("preview_schedule", schedule_expr=expr)
    assert (error["code"], error["field"]) == (code, field)
    done = product.command("preview", expr, "--json")
    assert done.code == 1
    told = done.facts["error"]
    assert {name: told.get(name) for name in ("code", "field", "message")} == {
        name: error[name] for name in ("code", "field", "message")
    }
    assert error["message"] in done.err


def test_the_command_gives_the_same_facts(session: Session, product: Product) -> None:
    asked = {"timezone": "Asia/Kathmandu", "after": "2030-01-01T00:00", "count": 3}
    shown = session.call("preview_schedule", schedule_expr="@daily", **asked)
    words = [f"--{name}={value}" for name, value in asked.items()]
    assert product.command("preview", "@daily", *words, "--json").facts == shown


def test_the_command_speaks_to_a_person(product: Product) -> None:
    done = product.command("preview", "FREQ=DAILY;COUNT=1", "--start-at", "2031-03-01T09:00")
    assert done.code == 0
    assert "2031-03-01T09:00:00+02:00" in done.out
    assert "the series ends there" in done.out


def test_five_fields_are_named(session: Session) -> None:
    error = session.refused("preview_schedule", schedule_expr="30 8 *", schedule_kind="cron")
    assert "five fields" in error["message"]
