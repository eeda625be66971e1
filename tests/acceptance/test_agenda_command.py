"""`agenda` and `backfill`: the same facts as the tools, for a person, a program, a calendar."""

from __future__ import annotations

from tests.acceptance.product import Product
from tests.acceptance.tasks import task


def test_what_is_to_come_is_told_in_three_ways(product: Product, agent: str) -> None:
    with product.session(agent=agent) as session:
        session.call("schedule_task", **task(title="Soon", key="soon", schedule_expr="in 3 hours"))
        shown = session.call("get_agenda", hours=5)
    facts = product.command("agenda", "--hours", "5", "--json", agent=agent)
    assert facts.code == 0
    assert [one["task"] for one in facts.facts["occurrences"]] == [
        one["task"] for one in shown["occurrences"]
    ]
    assert len(shown["occurrences"]) == 1
    assert "Soon" in product.command("agenda", "--hours", "5", agent=agent).out
    calendar = product.command("agenda", "--hours", "5", "--ics", agent=agent).out
    assert calendar.startswith("BEGIN:VCALENDAR")
    assert calendar.count("BEGIN:VEVENT") == 1
    assert "SUMMARY:Soon" in calendar


def test_a_past_range_is_shown_and_then_run_once(product: Product, agent: str) -> None:
    words = ["backfill", "daily", "--from", "2026-01-01", "--to", "2026-01-03", "--json"]
    with product.session(agent=agent) as session:
        session.call(
            "schedule_task",
            **task(key="daily", schedule_expr="0 9 * * *", timezone="UTC", paused=True),
        )
        trial = product.command(*words, "--dry-run", agent=agent)
        assert trial.facts["slots"] == ["2026-01-01T09:00:00+00:00", "2026-01-02T09:00:00+00:00"]
        assert trial.facts["made"] == 0
        assert product.command(*words, agent=agent).facts["made"] == 2
        assert product.command(*words, agent=agent).facts["made"] == 0
        assert len(session.call("list_runs", task="daily")["runs"]) == 2
        session.call("cancel_task", task="daily")
    assert product.command("backfill", "nobody", *words[2:], agent=agent).code == 3
