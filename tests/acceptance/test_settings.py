"""Settings: the environment before the file, and every mistake by its name."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.acceptance.product import Product, installed


@pytest.fixture
def fresh() -> Generator[Product, None, None]:
    with installed() as made:
        made.home.mkdir()
        yield made


def write(product: Product, text: str) -> None:
    (product.home / "ordinaut.toml").write_text(text, encoding="utf-8")


def test_the_environment_goes_before_the_file(fresh: Product) -> None:
    write(fresh, 'timezone = "Asia/Kathmandu"\n')
    of_file = fresh.command("preview", "@daily", "--json").facts
    assert of_file["timezone"] == "Asia/Kathmandu"
    of_both = fresh.command("preview", "@daily", "--json", timezone="Europe/Paris").facts
    assert of_both["timezone"] == "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("worker_slotss = 3\n", "worker_slotss", "Did you mean 'worker_slots'?"),
        ("[auth]\nsigning_key = 'x'\n", "auth", "unknown key 'auth'"),
        ("worker_slots = 'many'\n", "worker_slots", "ORDINAUT_WORKER_SLOTS"),
        ("worker_slots = 0\n", "worker_slots", "greater than or equal to 1"),
        ("agent = 'Bad Name'\n", "agent", "lower-case"),
        ("llm_provider = 'real'\n", "llm_provider", "'none', 'fake', 'openai'"),
        ("database_url = 'mysql://u:hunter22@h/d'\n", "database_url", "postgresql://"),
        ("redis_url = 'http://u:hunter22@h'\n", "redis_url", "redis://"),
        ("home = '/elsewhere'\n", "home", "remove 'home'"),
        ("worker_slots = \n", "ordinaut.toml", "line 1"),
    ],
)
@pytest.mark.parametrize("command", ["status", "up", "doctor", "preview"])
def test_a_mistake_in_the_file_is_told_by_every_command(
    settled: Product, text: str, field: str, said: str, command: str
) -> None:
    write(settled, text)
    words = ("@daily",) if command == "preview" else ()
    done = settled.command(command, *words, "--json")
    assert done.code == 1
    error = done.facts["error"]
    assert (error["code"], error["field"]) == ("invalid_config", field)
    assert said in done.err
    assert "hunter22" not in done.err + done.out
    assert "Traceback" not in done.err


@pytest.fixture(scope="module")
def settled() -> Generator[Product, None, None]:
    """One home for all mistakes: none of them starts anything."""
    with installed() as made:
        made.home.mkdir()
        yield made
        (made.home / "ordinaut.toml").unlink()


def test_a_mistake_in_the_environment_names_the_variable(settled: Product) -> None:
    write(settled, "")
    done = settled.command("status", lease_seconds="soon")
    assert done.code == 1
    assert "ORDINAUT_LEASE_SECONDS" in done.err


def test_what_the_runtime_was_first_started_with_is_pinned(fresh: Product) -> None:
    assert fresh.command("up").code == 0
    text = (fresh.home / "ordinaut.toml").read_text("utf-8")
    assert "[environment]" in text
    assert "PATH = " in text
    doctor = fresh.command("doctor", "--json")
    assert doctor.code == 0
