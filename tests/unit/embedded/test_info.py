"""What a runtime says about itself is believed only while it lives."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.info import RuntimeInfo, clear_info, read_info, write_info
from ordinaut_mcp.errors import InvalidInput


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def info(home: Home) -> RuntimeInfo:
    return RuntimeInfo.of_this_process(
        home, version="1.2.3", roles=["scheduler", "worker"], tzdata="2026f"
    )


def test_what_is_written_is_read_back(home: Home, info: RuntimeInfo) -> None:
    whole = replace(
        info,
        state="ready",
        database_url="postgresql://ordinaut@/ordinaut?host=%2Ft%C3%BC",
        redis_url="unix:///t?db=0",
        http_url="http://127.0.0.1:8765",
    )
    write_info(home, whole)

    assert read_info(home) == whole
    assert whole.pid == os.getpid()
    assert whole.started_at.tzinfo is not None
    assert stat.S_IMODE(home.info_file.stat().st_mode) == 0o600


def test_there_is_none_before_one_was_written_and_after_it_was_taken_away(
    home: Home, info: RuntimeInfo
) -> None:
    assert read_info(home) is None
    clear_info(home, info)
    write_info(home, info)
    clear_info(home, replace(info, mark="of an earlier runtime"))
    assert read_info(home) == info
    clear_info(home, info)
    assert read_info(home) is None
    assert not home.info_file.exists()


def test_a_pid_that_is_anothers_by_now_is_no_runtime(home: Home, info: RuntimeInfo) -> None:
    write_info(home, replace(info, mark="of an earlier one"))
    assert read_info(home) is None
    write_info(home, replace(info, pid=2**22 + 1))
    assert read_info(home) is None


@pytest.mark.parametrize(
    "change",
    [
        {"state": "asleep"},
        {"pid": "12"},
        {"pid": True},
        {"started_at": "yesterday"},
        {"roles": 3},
        {"started_at": None},
    ],
)
def test_an_entry_that_is_not_ours_is_no_runtime(
    change: dict[str, object], home: Home, info: RuntimeInfo
) -> None:
    write_info(home, info)
    home.info_file.write_text(json.dumps(json.loads(home.info_file.read_text()) | change))
    assert read_info(home) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}"])
def test_a_file_that_is_no_entry_is_no_runtime(text: str, home: Home) -> None:
    home.info_file.write_text(text)
    assert read_info(home) is None


def test_an_entry_that_cannot_be_written_is_told(info: RuntimeInfo) -> None:
    with pytest.raises(InvalidInput):
        write_info(Home("/proc/ordinaut"), info)
