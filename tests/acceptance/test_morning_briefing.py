"""The Morning Briefing is accepted as it is printed, and runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.product import ROOT, installed

BRIEFING: dict[str, Any] = json.loads(
    (ROOT / "tests/cases/morning_briefing.json").read_text(encoding="utf-8")
)


def servers(outbox: Path) -> dict[str, Any]:
    """The entries of the examples, with paths that hold anywhere and an outbox of our own."""
    listed = json.loads((ROOT / "examples/tools.json").read_text(encoding="utf-8"))["mcpServers"]
    for entry in listed.values():
        entry["command"] = sys.executable
        entry["args"] = [str(ROOT / "examples" / path) for path in entry["args"]]
    listed["telegram-mcp"]["env"] = {"TELEGRAM_OUTBOX": str(outbox)}
    return listed


def test_the_morning_briefing_runs_as_it_is_printed() -> None:
    with installed(llm_provider="fake") as product:
        outbox = product.folder / "outbox.jsonl"
        product.tools(servers(outbox))
        with product.session() as session:
            saved = session.call("schedule_task", **BRIEFING)
            done = session.call("run_now", task=saved["task"]["id"], wait_seconds=45)["run"]
            run = session.call("get_run", run=done["id"], detail="full")["run"]
        assert saved["task"]["title"] == "Weekday Morning Briefing"
        assert saved["task"]["schedule_kind"] == "rrule"
        assert saved["task"]["payload"]["pipeline"] == BRIEFING["payload"]["pipeline"]
        assert all("T08:30:00+0" in one["local"] for one in saved["next"])

        assert (run["state"], run["error"]) == ("succeeded", None)
        names = ["calendar", "weather", "emails", "brief", "notify"]
        assert [step["id"] for step in run["steps"]] == names
        brief, notify = run["steps"][3:]
        assert notify["input"] == {"chat_id": 12345, "text": brief["output"]["text"]}
        [sent] = [json.loads(line) for line in outbox.read_text(encoding="utf-8").splitlines()]
        assert (sent["chat_id"], sent["text"]) == (12345, brief["output"]["text"])
        assert sent["key"]
