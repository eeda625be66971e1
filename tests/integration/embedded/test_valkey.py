"""What only a real Valkey can prove about starting, adopting and stopping it."""

from __future__ import annotations

import json
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ordinaut_mcp.embedded import binaries, valkey
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.pids import birth_mark, send, wait_gone, wait_until
from ordinaut_mcp.embedded.place import known_folder, settle
from ordinaut_mcp.embedded.sockets import asked
from ordinaut_mcp.embedded.valkey import EmbeddedValkey
from ordinaut_mcp.errors import InvalidInput, Unavailable


@pytest.fixture
def server(home: Home, system: Path) -> EmbeddedValkey:
    return EmbeddedValkey(home, system=system)


def started(server: EmbeddedValkey) -> Path:
    url = server.start()
    assert url is not None
    return Path(unquote(urlsplit(url).path))


def say(socket: Path, command: str) -> str:
    heard = asked(socket, command.encode() + b"\r\n")
    assert heard is not None
    return heard


def noted(home: Home) -> tuple[int, str]:
    entry = json.loads((home.run / "valkey.json").read_text())
    return entry["pid"], entry["mark"]


def signalled(home: Home, number: signal.Signals) -> tuple[int, str]:
    pid, mark = noted(home)
    assert send(pid, mark, number)
    return pid, mark


def test_what_was_written_is_there_after_a_restart(server: EmbeddedValkey) -> None:
    say(started(server), "SET kept 42")
    assert server.running()
    assert server.stop()
    assert not server.running()
    assert not server.stop()

    assert say(started(server), "GET kept") == "$2\r\n42\r\n"


def test_it_has_no_port_and_a_socket_that_is_closed_to_others(server: EmbeddedValkey) -> None:
    socket = started(server)
    assert say(socket, "CONFIG GET port").split() == ["*2", "$4", "port", "$1", "0"]
    assert say(socket, "CONFIG GET appendonly").split()[-1] == "yes"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_a_second_start_adopts_the_first_ones_server(
    server: EmbeddedValkey, home: Home, system: Path
) -> None:
    socket = started(server)
    pid = noted(home)

    assert started(EmbeddedValkey(Home(home.path), system=system)) == socket
    assert noted(home) == pid


def test_starts_at_the_same_moment_end_with_one_server(home: Home, system: Path) -> None:
    with ThreadPoolExecutor(4) as callers:
        asked = [callers.submit(EmbeddedValkey(home, system=system).start) for _ in range(4)]
        assert len({caller.result(timeout=30) for caller in asked}) == 1


def test_after_a_crash_the_next_start_reads_its_file(server: EmbeddedValkey, home: Home) -> None:
    socket = started(server)
    say(socket, "SET kept 42")
    say(socket, "WAITAOF 1 0 5000")
    assert wait_gone(*signalled(home, signal.SIGKILL), seconds=10)
    assert not server.running()

    assert say(started(server), "GET kept") == "$2\r\n42\r\n"


def test_a_server_whose_starter_died_before_it_noted_it_is_adopted(
    server: EmbeddedValkey, home: Home
) -> None:
    socket = started(server)
    pid, _ = noted(home)
    (home.run / "valkey.json").unlink()

    assert server.running()
    assert started(server) == socket
    assert f"process_id:{pid}\r\n" in say(socket, "INFO server")


def test_a_server_that_hangs_is_replaced(
    server: EmbeddedValkey, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(server)
    hung = signalled(home, signal.SIGSTOP)
    monkeypatch.setattr(valkey, "SILENT_SECONDS", 0.1)

    assert say(started(server), "PING") == "+PONG\r\n"
    assert birth_mark(hung[0]) != hung[1]


def test_a_note_that_names_somebody_else_is_no_obstacle(server: EmbeddedValkey, home: Home) -> None:
    home.prepare()
    init = birth_mark(1)
    entry = {"pid": 1, "mark": init, "socket": str(home.run / "none.sock")}
    (home.run / "valkey.json").write_text(json.dumps(entry))

    assert not server.running()
    assert not server.stop()
    assert say(started(server), "PING") == "+PONG\r\n"


def test_a_damaged_file_is_set_aside_because_all_of_it_can_be_told_again(
    server: EmbeddedValkey, home: Home
) -> None:
    folder = known_folder(home) / "valkey"
    for _ in range(2):
        say(started(server), "SET lost 42")
        server.stop()
        for part in (folder / "appendonlydir").glob("*.incr.aof"):
            part.write_bytes(b"*1\r\nnonsense\r\n" + part.read_bytes())

        assert say(started(server), "GET lost") == "$-1\r\n"
        assert (folder / "appendonlydir.damaged").is_dir()
        server.stop()


def test_a_large_log_is_set_aside(server: EmbeddedValkey, home: Home, system: Path) -> None:
    place = settle(home, system=system)
    log = place.private_folder(place.logs / "valkey") / "valkey.log"
    log.write_bytes(b"old\n" * 2_000_000)
    started(server)

    assert wait_until(log.exists, seconds=5)
    assert log.stat().st_size < 1_000_000
    assert log.with_name("valkey.log.1").stat().st_size == 8_000_000


def nonsense(*, folder: Path, socket: Path, log: Path) -> str:
    return f"nonsense {folder.name} {socket.name} {log.name}\n"


def test_a_server_that_cannot_start_is_told_with_its_own_words(
    server: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "settings_text", nonsense)

    with pytest.raises(Unavailable, match="Bad directive"):
        server.start()


def test_a_platform_without_it_says_so_and_starts_nothing(
    server: EmbeddedValkey, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "VALKEY_WHEEL", "no_such_package")

    assert server.start() is None
    assert "no Valkey comes along" in (server.missing() or "")
    assert not home.path.exists()


def test_a_file_where_its_folder_should_be_is_refused(
    server: EmbeddedValkey, home: Home, system: Path
) -> None:
    settle(home, system=system).valkey.write_text("a note")

    with pytest.raises(InvalidInput, match="is not a folder of the account"):
        server.start()


def test_a_server_that_is_ended_by_another_meanwhile_is_simply_gone(
    server: EmbeddedValkey, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(server)

    def overtaken(pid: int, mark: str, number: signal.Signals) -> bool:
        assert send(pid, mark, signal.SIGKILL)
        assert wait_gone(pid, mark, seconds=10)
        return send(pid, mark, number)

    monkeypatch.setattr(valkey, "send", overtaken)
    assert server.stop()
    assert not server.running()


def test_a_server_that_hangs_at_its_stop_is_killed(server: EmbeddedValkey, home: Home) -> None:
    started(server)
    hung = signalled(home, signal.SIGSTOP)

    assert server.stop(seconds=0.1)
    assert birth_mark(hung[0]) != hung[1]


def test_a_server_that_will_not_end_at_all_is_told(
    server: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(pid: int, mark: str, number: signal.Signals) -> bool:
        return birth_mark(pid) == mark and number in (signal.SIGTERM, signal.SIGKILL)

    def gone(pid: int, mark: str, *, seconds: float) -> bool:
        return wait_gone(pid, mark, seconds=min(seconds, 0.05))

    started(server)
    monkeypatch.setattr(valkey, "send", lost)
    monkeypatch.setattr(valkey, "wait_gone", gone)
    with pytest.raises(Unavailable, match="does not end"):
        server.stop()
    monkeypatch.undo()
    assert server.running()


def test_damage_without_a_file_is_told_like_any_other_fault(
    server: EmbeddedValkey, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: str) -> bool:
        return True

    monkeypatch.setattr(valkey, "_is_damage", damaged)
    monkeypatch.setattr(valkey, "settings_text", nonsense)
    with pytest.raises(Unavailable, match="did not start"):
        server.start()
    assert not (known_folder(home) / "valkey" / "appendonlydir.damaged").exists()


def test_a_full_disk_is_told(server: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(said: str) -> bool:
        return "Bad directive" in said

    monkeypatch.setattr(valkey, "settings_text", nonsense)
    monkeypatch.setattr(valkey, "tells_full", full)
    with pytest.raises(Unavailable, match="is full"):
        server.start()
