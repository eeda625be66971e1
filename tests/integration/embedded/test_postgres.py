"""What only a real PostgreSQL can prove about starting, adopting and stopping it."""

from __future__ import annotations

import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ordinaut_mcp.embedded import cluster
from ordinaut_mcp.embedded import postgres as postgres_module
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.owner import Owner
from ordinaut_mcp.embedded.pids import birth_mark, send, wait_gone, wait_until
from ordinaut_mcp.embedded.place import known_folder, settle
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.embedded.spawning import spawn
from ordinaut_mcp.errors import InvalidInput, NotAvailable, Unavailable
from tests.integration.embedded.conftest import stop_all
from tests.integration.embedded.psql import answer, psql, written_pid

KEEP = "CREATE TABLE kept AS SELECT 42 AS number"


@pytest.fixture
def postgres(home: Home, system: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, system=system)


def database_of(home: Home) -> Path:
    return known_folder(home) / "postgres"


def sockets_of(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def kill_at_once(pid: int) -> None:
    mark = birth_mark(pid)
    assert mark is not None
    send(pid, mark, signal.SIGKILL)
    assert wait_gone(pid, mark, seconds=10)


def test_a_fresh_home_gets_a_database_that_keeps_what_was_written(
    postgres: EmbeddedPostgres,
) -> None:
    url = postgres.start()
    answer(url, KEEP)
    assert postgres.running()
    assert postgres.stop()
    assert not postgres.running()

    assert answer(postgres.start(), "SELECT number FROM kept") == "42"


def test_the_database_is_utf8_checked_durable_and_not_on_the_network(
    postgres: EmbeddedPostgres,
) -> None:
    url = postgres.start()

    def setting(name: str) -> str:
        return answer(url, f"SHOW {name}")

    assert setting("server_version_num").startswith("18")
    assert setting("server_encoding") == "UTF8"
    assert setting("data_checksums") == "on"
    assert setting("fsync") == "on"
    assert setting("listen_addresses") == ""
    assert setting("unix_socket_permissions") == "0700"
    assert setting("timezone") == "UTC"
    assert answer(url, "SELECT upper('ünï') || (1 < 2)") == "ÜNÏtrue"
    assert answer(url, "SELECT usesuper FROM pg_user WHERE usename = current_user") == "f"
    assert answer(url, "CREATE DATABASE another") == "CREATE DATABASE"


def test_the_sockets_lie_in_a_folder_that_is_closed_to_others(postgres: EmbeddedPostgres) -> None:
    folder = sockets_of(postgres.start())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".s.PGSQL.5432").is_socket()


def test_a_second_start_adopts_the_first_ones_server(
    postgres: EmbeddedPostgres, home: Home, system: Path
) -> None:
    url = postgres.start()
    pid = written_pid(database_of(home))

    assert EmbeddedPostgres(Home(home.path), system=system).start() == url
    assert written_pid(database_of(home)) == pid


def test_starts_at_the_same_moment_end_with_one_server(home: Home, system: Path) -> None:
    with ThreadPoolExecutor(4) as callers:
        asked = [callers.submit(EmbeddedPostgres(home, system=system).start) for _ in range(4)]
        urls = [caller.result(timeout=60) for caller in asked]

    assert len(set(urls)) == 1
    assert answer(urls[0], "SELECT 1") == "1"


def test_a_home_with_a_very_long_path_works(ground: Path, system: Path) -> None:
    home = Home(ground / ("very long " * 12) / ("and longer " * 10))
    assert len(os.fsencode(home.path)) > 200
    url = EmbeddedPostgres(home, system=system).start()
    try:
        assert len(os.fsencode(sockets_of(url) / ".s.PGSQL.5432")) <= 103
        assert answer(url, "SELECT 1") == "1"
    finally:
        stop_all(home)


@pytest.mark.parametrize(
    "name", ["it's", 'a "quoted" one', "back\\slash", "per%cent", "com,ma", "$(id)"]
)
def test_letters_that_mean_something_to_shells_and_settings_are_only_letters(
    name: str, ground: Path, system: Path
) -> None:
    home = Home(ground / name)
    try:
        assert answer(EmbeddedPostgres(home, system=system).start(), "SELECT 1") == "1"
    finally:
        stop_all(home)


def test_after_a_crash_the_next_start_recovers(postgres: EmbeddedPostgres, home: Home) -> None:
    url = postgres.start()
    answer(url, KEEP)
    kill_at_once(written_pid(database_of(home)))
    assert not postgres.running()

    assert answer(postgres.start(), "SELECT number FROM kept") == "42"


def test_a_pid_file_that_names_somebody_else_is_no_obstacle(
    postgres: EmbeddedPostgres, home: Home, system: Path
) -> None:
    postgres.start()
    postgres.stop()
    place = settle(home, system=system)
    stranger = spawn(["/bin/sleep", "60"], log=home.logs / "stranger.log", owner=place.owner)
    mark = birth_mark(stranger)
    assert mark is not None
    try:
        (place.postgres / "postmaster.pid").write_text(
            f"{stranger}\n{place.postgres}\n1\n5432\n{place.folder}/sockets\n\n  1  1\nready   \n"
        )
        place.give(place.postgres / "postmaster.pid")

        assert not postgres.running()
        assert not postgres.stop()
        assert answer(postgres.start(), "SELECT 1") == "1"
        assert birth_mark(stranger) == mark
    finally:
        send(stranger, mark, signal.SIGKILL)


def test_a_server_whose_socket_was_swept_away_is_replaced(
    postgres: EmbeddedPostgres, home: Home
) -> None:
    url = postgres.start()
    first = written_pid(database_of(home))
    (sockets_of(url) / ".s.PGSQL.5432").unlink()

    assert answer(postgres.start(), "SELECT 1") == "1"
    assert written_pid(database_of(home)) != first


def status_of(home: Home) -> str:
    lines = (database_of(home) / "postmaster.pid").read_text().splitlines()
    return lines[7].strip()


def sleeping_client(url: str) -> tuple[int, str]:
    """A session that keeps a smart stop waiting, by the process that serves it."""
    spawn(psql(url, "SELECT pg_sleep(600)"), log=Path(os.devnull))
    serving = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6%'"
    assert wait_until(lambda: answer(url, serving) != "", seconds=10)
    pid = int(answer(url, serving))
    mark = birth_mark(pid)
    assert mark is not None
    return pid, mark


@pytest.mark.parametrize("client_leaves", [True, False])
def test_a_server_that_is_just_stopping_is_followed_by_a_new_one(
    client_leaves: bool, postgres: EmbeddedPostgres, home: Home
) -> None:
    """One that goes on stopping for too long (here: for as long as its client stays) is ended."""
    url = postgres.start()
    first = written_pid(database_of(home))
    mark = birth_mark(first)
    assert mark is not None
    client = sleeping_client(url)
    send(first, mark, signal.SIGTERM)
    assert wait_until(lambda: status_of(home) == "stopping", seconds=10)
    if client_leaves:
        send(*client, signal.SIGTERM)

    assert answer(postgres.start(seconds=30 if client_leaves else 5), "SELECT 1") == "1"
    assert birth_mark(first) != mark


def test_a_server_that_still_recovers_is_left_to_it(postgres: EmbeddedPostgres, home: Home) -> None:
    url = postgres.start()
    file = database_of(home) / "postmaster.pid"
    written = file.read_text()
    file.write_text(written.replace("ready   ", "starting"))

    with pytest.raises(Unavailable, match="still recovers") as told:
        postgres.start(seconds=0.1)
    assert told.value.retry_after is not None
    file.write_text(written)
    assert postgres.start() == url


def test_the_children_of_a_killed_server_are_waited_for(
    postgres: EmbeddedPostgres, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one folder would destroy it: PostgreSQL itself refuses the second."""
    url = postgres.start()
    answer(url, KEEP)
    child = int(answer(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))
    mark = birth_mark(child)
    assert mark is not None
    send(child, mark, signal.SIGSTOP)
    kill_at_once(written_pid(database_of(home)))
    monkeypatch.setattr(postgres_module, "LEFTOVER_SECONDS", 0.3)
    with pytest.raises(Unavailable, match="is still in use"):
        postgres.start()

    send(child, mark, signal.SIGCONT)
    monkeypatch.undo()
    assert answer(postgres.start(), "SELECT number FROM kept") == "42"


def test_a_server_whose_starter_died_at_once_is_adopted(
    postgres: EmbeddedPostgres, home: Home, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's server may get its pid file written between our look and our start."""

    def overtaken(command: list[str], *, log: Path, owner: Owner, fresh_log: bool) -> int:
        spawn(command, log=log, owner=owner, fresh_log=fresh_log)
        ended = spawn(["/bin/true"], log=log)
        assert wait_until(lambda: birth_mark(ended) is None, seconds=10)
        assert wait_until(EmbeddedPostgres(home, system=system).running, seconds=10)
        return ended

    monkeypatch.setattr(postgres_module, "spawn", overtaken)
    assert answer(postgres.start(), "SELECT 1") == "1"


def test_a_server_that_never_gets_ready_is_told(
    postgres: EmbeddedPostgres, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned: list[int] = []

    def silent(command: list[str], *, log: Path, owner: Owner, fresh_log: bool) -> int:
        assert command[1] == "-D"
        spawned.append(spawn(["/bin/sleep", "60"], log=log, owner=owner, fresh_log=fresh_log))
        return spawned[0]

    monkeypatch.setattr(postgres_module, "spawn", silent)
    with pytest.raises(Unavailable, match="was not ready after"):
        postgres.start(seconds=0.1)
    kill_at_once(spawned[0])


def test_a_server_that_will_not_end_at_all_is_told(
    postgres: EmbeddedPostgres, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.start()
    pid = written_pid(database_of(home))
    mark = birth_mark(pid)
    assert mark is not None
    send(pid, mark, signal.SIGSTOP)
    monkeypatch.setattr(postgres_module, "AT_ONCE_SECONDS", 0.1)
    try:
        with pytest.raises(Unavailable, match="does not end"):
            postgres.stop(seconds=0.1)
    finally:
        send(pid, mark, signal.SIGCONT)
    assert wait_gone(pid, mark, seconds=10)


def test_a_failed_making_is_told_with_initdbs_own_words(
    postgres: EmbeddedPostgres, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "INIT", ("--locale=nowhere",))

    with pytest.raises(Unavailable, match=r"could not make its database.*nowhere"):
        postgres.start()
    assert list(known_folder(home).glob("postgres*")) == []


def test_an_interrupted_making_is_begun_again(
    postgres: EmbeddedPostgres, home: Home, system: Path
) -> None:
    place = settle(home, system=system)
    unfinished = place.private_folder(place.folder / "postgres.unfinished")
    (unfinished / "PG_VERSION").write_text("18\n")

    assert answer(postgres.start(), "SELECT 1") == "1"
    assert not unfinished.exists()


def test_a_database_of_another_major_version_is_refused_and_left_alone(
    postgres: EmbeddedPostgres, home: Home, system: Path
) -> None:
    place = settle(home, system=system)
    place.private_folder(place.postgres)
    (place.postgres / "PG_VERSION").write_text("16\n")

    with pytest.raises(NotAvailable, match="was made by PostgreSQL 16"):
        postgres.start()
    assert [found.name for found in place.postgres.iterdir()] == ["PG_VERSION"]


def test_a_folder_that_holds_something_else_is_refused(
    postgres: EmbeddedPostgres, home: Home, system: Path
) -> None:
    place = settle(home, system=system)
    place.private_folder(place.postgres)
    (place.postgres / "photos").mkdir()

    with pytest.raises(InvalidInput, match="not a PostgreSQL database") as refused:
        postgres.start()
    assert refused.value.field == "ORDINAUT_HOME"


def test_a_settings_mistake_is_told_with_postgresqls_own_words(
    postgres: EmbeddedPostgres, home: Home
) -> None:
    postgres.start()
    postgres.stop()
    with (database_of(home) / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = plenty\n")

    with pytest.raises(Unavailable, match="shared_buffers"):
        postgres.start()


def test_a_server_that_will_not_end_in_time_is_stopped_at_once(
    postgres: EmbeddedPostgres,
) -> None:
    url = postgres.start()
    socket = sockets_of(url) / ".s.PGSQL.5432"
    client = sleeping_client(url)

    assert postgres.stop("smart", seconds=0.2)
    assert not socket.exists()
    assert wait_gone(*client, seconds=10)


def test_a_server_that_is_ended_by_another_meanwhile_is_simply_gone(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.start()

    def overtaken(pid: int, mark: str, number: signal.Signals) -> bool:
        kill_at_once(pid)
        return send(pid, mark, number)

    monkeypatch.setattr(postgres_module, "send", overtaken)
    assert postgres.stop()
    assert not postgres.running()
