"""`backup`, then `restore` in an empty home: leased and queued work is there and runs."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.product import Product, installed
from tests.acceptance.session import Session
from tests.acceptance.tasks import task
from tests.acceptance.waiting import eventually
from tests.servers import HERE, entry

FROM_THE_FUTURE = """
    INSERT INTO ordinaut.migration (number, name, digest) VALUES (9000, 'later', repeat('0', 64))
"""
UNDONE = "DELETE FROM ordinaut.migration WHERE number = 9000"


@dataclass(frozen=True, slots=True)
class Backup:
    """The file, and what ran in the home that it was made of."""

    file: Path
    facts: dict[str, Any]
    leased: str
    key: str
    """The idempotency key of the call that was under way."""


@pytest.fixture(scope="module")
def folder(product: Product) -> Path:
    """Where the tools of both homes write, and the backup lies; with a space in its name."""
    made = product.folder / "backups and calls"
    made.mkdir()
    return made


@contextmanager
def home_of(folder: Path, name: str) -> Generator[Product, None, None]:
    """A home with a space in its name, and a tool server behind the gate."""
    with installed(name, lease_seconds="3", worker_slots="2") as made:
        gate = {"GATE": str(folder / "gate"), "CALLS": str(folder / "calls")}
        made.tools({"gate": entry(HERE / "gate.py", env=gate)})
        yield made


def calls(folder: Path) -> list[tuple[str, str]]:
    """The calls that have begun: what they were told, and their idempotency keys."""
    path = folder / "calls"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(one["args"]["by"], one["key"]) for one in map(json.loads, lines)]


def gated(key: str, tool: str, **more: Any) -> dict[str, Any]:
    step = {"id": "a", "uses": f"gate.{tool}", "with": {"by": key}}
    return task(key=key, pipeline=[step], **more)


@pytest.fixture(scope="module")
def backup(folder: Path) -> Backup:
    """A backup of a home whose runtime was killed in the middle of a step."""
    file = folder / "all of it.dump"
    with home_of(folder, "the first home") as first:
        assert first.command("up").code == 0
        with first.session() as session:
            leased = order_runs(session, folder)
        os.kill(first.status()["pid"], signal.SIGKILL)
        done = first.command("backup", str(file), "--json")
        assert done.code == 0, done.err
        assert "Not in it: the tools file" in done.err
    [key] = [key for by, key in calls(folder) if by == "leased"]
    return Backup(file, done.facts, leased, key)


def order_runs(session: Session, folder: Path) -> str:
    """A run that has ended, one that waits, one in the queue, one in the middle of a step."""
    session.call("schedule_task", **task(key="finished"))
    ended = session.call("run_now", task="finished", wait_seconds=20)["run"]
    assert ended["state"] == "succeeded"
    session.call("schedule_task", **gated("waiting", "write", timeout_seconds=1, max_retries=0))
    session.call("run_now", task="waiting")
    eventually(lambda: state(session, "waiting") == "waiting", within=30, what="it is parked")
    session.call("schedule_task", **gated("queued", "count", schedule_expr="in 20 seconds"))
    session.call("snooze", task="queued", for_seconds=1)
    assert state(session, "queued") == "queued"
    session.call("schedule_task", **gated("leased", "wait"))
    leased = session.call("run_now", task="leased")["run"]["id"]
    eventually(lambda: "leased" in dict(calls(folder)), within=30, what="the step is under way")
    return leased


def state(session: Session, key: str) -> str | None:
    runs = session.call("list_runs", task=key)["runs"]
    return runs[0]["state"] if runs else None


@pytest.fixture(scope="module")
def second(folder: Path, backup: Backup) -> Generator[Product, None, None]:
    """A home that was empty, with the backup in it, and not up yet."""
    with home_of(folder, "the second home") as made:
        restored = made.command("restore", str(backup.file), "--json")
        assert restored.code == 0, restored.err
        assert restored.facts == {
            "file": str(backup.file),
            "tasks": 4,
            "unfinished_runs": 3,
            "taken_back": 1,
            "migrated": [],
        }
        assert "ordinaut-mcp up" in restored.err
        assert made.status()["running"] is False
        yield made


def test_a_backup_is_one_file_that_nobody_else_reads(backup: Backup, folder: Path) -> None:
    assert backup.facts["file"] == str(backup.file)
    assert backup.facts["bytes"] == backup.file.stat().st_size > 10_000
    assert stat.S_IMODE(backup.file.stat().st_mode) == 0o600
    assert {one.name for one in folder.iterdir()} <= {"all of it.dump", "calls", "gate"}


def test_a_home_with_tasks_is_not_written_over(second: Product, backup: Backup) -> None:
    refused = second.command("restore", str(backup.file))
    assert (refused.code, refused.out) == (1, "")
    assert "The database has tasks" in refused.err


def test_leased_and_queued_work_is_there_and_runs(
    second: Product, backup: Backup, folder: Path
) -> None:
    assert second.command("up").code == 0
    with second.session() as session:
        (folder / "gate").touch()
        leased = session.ended_run("leased")
        queued = session.ended_run("queued")
        waiting = session.call("list_runs", task="waiting")["runs"]
        finished = session.call("list_runs", task="finished")["runs"]
        again = session.call("run_now", task="finished", wait_seconds=20)["run"]

    # Taken up anew, not failed: the attempt that the kill interrupted does not count.
    assert (leased["id"], leased["state"], leased["attempt"]) == (backup.leased, "succeeded", 1)
    assert [key for by, key in calls(folder) if by == "leased"] == [backup.key] * 2
    assert queued["state"] == "succeeded"
    assert [by for by, _ in calls(folder)].count("queued") == 1
    assert [(one["state"], one["error"]["code"]) for one in waiting] == [
        ("waiting", "outcome_unknown")
    ]
    assert [one["state"] for one in finished] == ["succeeded"]
    # No number of the life before is given out a second time.
    assert int(again["id"].removeprefix("run_")) > 1_000_000


def test_nothing_is_restored_under_a_runtime_that_is_up(second: Product, backup: Backup) -> None:
    assert second.command("up").code == 0
    refused = second.command("restore", str(backup.file))
    assert (refused.code, refused.out) == (1, "")
    assert "ordinaut-mcp down" in refused.err


def test_a_backup_of_a_running_home_takes_no_file_away(second: Product, folder: Path) -> None:
    assert second.command("up").code == 0
    file = folder / "kept.dump"
    file.write_text("mine", encoding="utf-8")
    refused = second.command("backup", str(file))
    assert (refused.code, file.read_text(encoding="utf-8")) == (1, "mine")
    assert "--force" in refused.err

    done = second.command("backup", str(file), "--force")
    assert done.code == 0, done.err
    assert "kept.dump" in done.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()


def test_a_backup_of_a_newer_version_is_refused(second: Product, folder: Path) -> None:
    assert second.command("up").code == 0
    file = folder / "newer.dump"
    with second.database() as database:
        database.execute(FROM_THE_FUTURE)
        assert second.command("backup", str(file)).code == 0
        database.execute(UNDONE)
    with installed("an empty home") as third:
        refused = third.command("restore", str(file))
        assert refused.code == 1
        assert "made by a newer version: its schema is at 9000" in refused.err
        assert not (third.home / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("missing", 3, "There is no file"),
        ("empty", 1, "is no backup"),
        ("text", 1, "is no backup"),
        ("short", 1, "is damaged or cut off"),
        ("half", 1, "is damaged or cut off"),
    ],
)
def test_what_is_no_whole_backup_is_told_and_nothing_is_stored(
    backup: Backup, folder: Path, name: str, code: int, said: str
) -> None:
    whole = backup.file.read_bytes()
    contents = {"empty": b"", "text": b"-- SQL", "short": whole[:20], "half": whole[:-2000]}
    file = folder / name
    if name in contents:
        file.write_bytes(contents[name])
    with installed("an empty home") as third:
        refused = third.command("restore", str(file))
        assert (refused.code, refused.out) == (code, "")
        assert said in refused.err
        assert not (third.home / "postgres").exists()
    file.unlink(missing_ok=True)


def test_an_empty_home_has_nothing_to_back_up(folder: Path) -> None:
    with installed("an empty home") as third:
        refused = third.command("backup", str(folder / "nothing.dump"))
        assert refused.code == 3
        assert "There is no database" in refused.err
        assert not third.home.exists()
