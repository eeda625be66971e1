"""The commands: what they do, what goes to which stream, and their exit codes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ordinaut_mcp import __version__
from tests.acceptance.living import living
from tests.acceptance.product import Product, installed

ALL_ROLES = ["scheduler", "worker", "reaper", "janitor", "relay"]
DONE, FAILED, USAGE, NOT_FOUND, NO_ANSWER = 0, 1, 2, 3, 4


@pytest.fixture(scope="module")
def idle() -> Generator[Product, None, None]:
    """A product that nobody has started."""
    with installed() as made:
        yield made


@pytest.mark.parametrize("script", ["ordinaut-mcp", "ordinaut"])
def test_both_console_scripts_are_the_same_program(product: Product, script: str) -> None:
    path = Path(sys.executable).parent / script
    done = subprocess.run(
        [str(path), "--version"],
        env=product.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == __version__


def test_the_help_names_every_command(idle: Product) -> None:
    shown = idle.command("--help")
    assert shown.code == DONE
    promised = ("serve", "up", "down", "status", "runtime", "migrate", "doctor", "demo", "preview")
    assert all(f" {name} " in shown.out for name in (*promised, "tools"))


@pytest.mark.parametrize(
    "words", [("bogus",), ("preview",), ("status", "--jsn"), ("runtime",), ("preview", "1h", "x")]
)
def test_a_call_that_is_no_command_is_a_usage_error(idle: Product, words: tuple[str, ...]) -> None:
    done = idle.command(*words)
    assert done.code == USAGE
    assert done.out == ""
    assert "Usage" in done.err


def test_what_is_not_running_is_said_and_exits_with_4(idle: Product) -> None:
    status = idle.command("status", "--json")
    assert status.code == NO_ANSWER
    assert status.facts["running"] is False
    assert status.facts["pid"] is None
    assert status.facts["home"] == str(idle.home)
    assert status.facts["tzdata"] == "2026f"
    assert "not running" in idle.command("status").out
    assert idle.command("migrate", "--check").code == NO_ANSWER


def test_down_twice_is_as_good_as_once(idle: Product) -> None:
    for _ in range(2):
        done = idle.command("down")
        assert (done.code, done.out) == (DONE, "")
        assert "was not running" in done.err


def test_doctor_says_how_to_mend_what_is_missing(idle: Product) -> None:
    done = idle.command("doctor")
    assert done.code == FAILED
    assert "FAIL  runtime: not running\n      → ordinaut-mcp up" in done.out


def test_up_is_idempotent_and_status_tells_everything(product: Product) -> None:
    before = product.status()
    again = product.command("up", "--json")
    assert again.code == DONE
    assert again.facts == before
    assert before["running"] is True
    assert before["home"] == str(product.home)
    assert before["roles"] == ALL_ROLES
    assert before["version"] == __version__
    assert before["tzdata"] == "2026f"
    assert before["http_url"] is None
    assert before["database_url"]
    assert before["redis_url"].startswith("unix://")
    assert before["pid"] in living(str(product.home))
    shown = product.command("status")
    assert (shown.code, f"process {before['pid']}" in shown.out) == (DONE, True)


def test_a_second_runtime_in_the_foreground_leaves_at_once(product: Product) -> None:
    done = product.command("up", "--foreground")
    assert done.code == DONE
    assert "already up" in done.err


def test_doctor_finds_nothing_wrong_with_a_home_that_is_well(product: Product) -> None:
    done = product.command("doctor", "--json")
    verdicts = {one["subject"]: one["verdict"] for one in done.facts}
    assert (done.code, set(verdicts.values())) == (DONE, {"ok"})
    expected = {"ordinaut", "time zones", "home", "runtime", "database", "schema", "redis"}
    assert expected | {"tools file", "tool server echo"} <= set(verdicts)


def test_doctor_names_a_database_and_a_redis_that_do_not_answer(product: Product) -> None:
    url = "postgresql://nobody:hunter22@127.0.0.1:1/none"
    done = product.command("doctor", database_url=url, redis_url="redis://127.0.0.1:1/0")
    assert done.code == FAILED
    assert "FAIL  database: The database is not reachable" in done.out
    assert "Check ORDINAUT_DATABASE_URL." in done.out
    assert "FAIL  redis: " in done.out
    assert "hunter22" not in done.out + done.err


def test_the_schema_is_current_and_looked_at_without_a_change(product: Product) -> None:
    looked = product.command("migrate", "--check")
    assert (looked.code, looked.out) == (DONE, "")
    assert "current" in looked.err
    again = product.command("migrate")
    assert again.code == DONE
    assert "nothing was done" in again.err


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("worker,bogus", "There is no role 'bogus'."),
        ("consumer", "The role 'consumer' is not available in this version."),
        (" , ", "There is no role to play."),
    ],
)
def test_a_role_that_is_not_there_is_refused(product: Product, roles: str, said: str) -> None:
    done = product.command("runtime", "--roles", roles)
    assert (done.code, done.out) == (FAILED, "")
    assert said in done.err
    assert "scheduler, worker, reaper, janitor" in done.err


def test_http_is_of_a_later_version(product: Product) -> None:
    done = product.command("serve", "--http")
    assert (done.code, done.out) == (FAILED, "")
    assert "not available in this version" in done.err


@contextmanager
def ending(process: subprocess.Popen[str]) -> Generator[None]:
    """Whatever happens inside: the process is told to end."""
    try:
        yield
    finally:
        process.terminate()


def test_a_production_process_works_beside_the_local_runtime(product: Product) -> None:
    url = product.status()["database_url"]
    home = product.folder / "production"
    home.mkdir()
    shutil.copy(product.home / "tools.json", home)
    command = [sys.executable, "-m", "ordinaut_mcp", "runtime", "--roles", "worker,reaper"]
    with subprocess.Popen(
        command,
        env=product.environment(database_url=url, home=str(home)),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        assert any("Running as worker, reaper." in line for line in told)
        with product.session() as session, ending(process):
            alive = [one["roles"] for one in session.call("get_status")["processes"]]
        assert sorted(alive) == [ALL_ROLES, ["worker", "reaper"]]
        process.communicate(timeout=30)
        assert process.returncode == 0
