"""The examination behind `doctor`: one thing that fails keeps nothing else from being looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.app import examination, local
from ordinaut_mcp.app.examination import Finding, examine
from ordinaut_mcp.config import Settings, load_settings
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo
from ordinaut_mcp.store.diagnosis import Diagnosis

pytestmark = pytest.mark.usefixtures("clean_environment")
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_an_idle_home_is_told_how_to_start(settings: Settings) -> None:
    found = by_subject(examine(settings))
    assert (found["runtime"].verdict, found["runtime"].mend) == ("fail", "ordinaut-mcp up")
    assert found["database"].verdict == found["redis"].verdict == "warn"
    assert found["home"].verdict == found["tools file"].verdict == "ok"


def test_a_database_that_does_not_answer_fails_by_its_name(settings: Settings) -> None:
    found = by_subject(examine(settings.model_copy(update={"database_url": NOWHERE})))
    assert found["database"].verdict == "fail"
    assert found["database"].mend == "Check ORDINAUT_DATABASE_URL."
    assert found["tools file"].verdict == "ok"


def test_a_redis_that_does_not_answer_fails_by_its_name(settings: Settings) -> None:
    found = by_subject(examine(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})))
    assert found["redis"].verdict == "fail"
    assert "without it" in (found["redis"].mend or "")


def test_a_zone_that_does_not_exist_fails_and_the_rest_is_looked_at(settings: Settings) -> None:
    found = by_subject(examine(settings.model_copy(update={"timezone": "Mars/Olympus"})))
    assert "Mars/Olympus" in found["ordinaut"].says or "time zones" in found
    assert found["home"].verdict == "ok"


def test_a_home_that_cannot_be_used_fails_by_its_name(settings: Settings) -> None:
    settings.home.write_text("a file is in the way", encoding="utf-8")
    found = by_subject(examine(settings))
    assert found["home"].verdict == "fail"
    assert found["runtime"].verdict == "fail"


def test_each_mistake_of_the_tools_file_and_each_server_is_a_finding(settings: Settings) -> None:
    settings.home.mkdir()
    settings.tools_path.write_text(
        '{"mcpServers": {\n"a b": {"command": "x"},\n"gone": {"command": "/nowhere/x"}}}',
        encoding="utf-8",
    )
    found = by_subject(examine(settings))
    assert found["tools file"].verdict == "fail"
    assert "line 2" in found["tools file"].says
    assert found["tool server gone"].verdict == "fail"
    assert found["tool server gone"].mend == "ordinaut-mcp tools test gone"


def test_another_path_than_the_pinned_one_is_a_warning(settings: Settings) -> None:
    pinned = settings.model_copy(update={"environment": {"PATH": "/elsewhere"}})
    found = by_subject(examine(pinned))
    assert found["environment"].verdict == "warn"
    assert str(settings.home / "ordinaut.toml") in (found["environment"].mend or "")


def test_a_runtime_of_another_version_is_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(settings: Settings) -> RuntimeInfo:
        return RuntimeInfo.of_this_process(Home(settings.home), version="0.0.1")

    monkeypatch.setattr(local, "found", other)
    found = by_subject(examine(settings))["runtime"]
    assert found.verdict == "warn"
    assert "version 0.0.1 is running" in found.says


def test_a_clock_that_is_off_and_a_missing_schema_are_findings(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(_: str) -> Diagnosis:
        return Diagnosis("18.4", 2.5)

    monkeypatch.setattr(examination, "diagnose", off)
    found = by_subject(examine(settings.model_copy(update={"database_url": server})))
    assert found["database clock"].says == "its clock is +2.5 s off this machine's"
    assert (found["schema"].verdict, found["schema"].mend) == ("fail", "ordinaut-mcp migrate")
