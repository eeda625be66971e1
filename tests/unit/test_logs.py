"""Logs go to stderr and nowhere else."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator

import pytest

from ordinaut_mcp import logs


@pytest.fixture(autouse=True)
def as_before() -> Generator[None, None, None]:
    """Logging is the whole process's: it is left as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.CALM}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_quiet_is_warnings_as_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.quiet()
    logging.getLogger("a.b").info("news")
    logging.getLogger("a.b").warning("look %s", "out")
    assert capsys.readouterr() == ("", "WARNING a.b: look out\n")


def test_canonical_is_one_json_object_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.canonical()
    log = logging.getLogger("ordinaut_mcp.x")
    log.debug("hidden")
    log.info("two\nlines", extra={"run": "run_1"})
    told = capsys.readouterr()
    assert told.out == ""
    [line] = told.err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["run"]) == ("two\nlines", "run_1")
    assert (event["level"], event["logger"]) == ("info", "ordinaut_mcp.x")
    assert event["at"].endswith("Z")


def test_canonical_keeps_a_traceback_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.canonical("error")
    try:
        int("no")
    except ValueError:
        logging.getLogger("x").exception("it broke")
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_everyday_news_of_libraries_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.canonical()
    logging.getLogger("apscheduler.scheduler").info("Added")
    logging.getLogger("apscheduler.scheduler").warning("Missed")
    assert "Added" not in capsys.readouterr().err
