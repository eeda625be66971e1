"""The demo: what it needs, and how it tells what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.app import demo
from ordinaut_mcp.errors import NotAvailable

RUN: dict[str, Any] = {
    "id": "run_1",
    "state": "succeeded",
    "lateness_ms": 7,
    "steps": [{"id": "a", "uses": "t.x", "state": "succeeded", "output": {"é": 1}}],
}


def test_the_run_is_told_with_steps_lateness_and_place() -> None:
    assert demo.in_words(RUN, Path("/h")).splitlines() == [
        "   run_1 succeeded, started 7 ms after it was due.",
        '   step a (t.x): succeeded → {"é": 1}',
        "   The data is in /h.",
    ]


@pytest.mark.anyio
async def test_without_the_time_server_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        return None

    monkeypatch.setattr(demo, "find_spec", missing)
    monkeypatch.setattr("shutil.which", missing)
    said: list[str] = []
    with pytest.raises(NotAvailable) as caught:
        await demo.demonstrate(tmp_path, said.append)
    assert "pip install mcp-server-time" in (caught.value.hint or "")
    assert said == []
