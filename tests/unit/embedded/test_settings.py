"""What the servers are told in their own languages."""

from __future__ import annotations

from pathlib import Path

from ordinaut_mcp.embedded import postgres_settings, valkey_settings
from ordinaut_mcp.embedded.postgres import url_of
from ordinaut_mcp.embedded.valkey import url_of as valkey_url_of


def test_root_and_the_owner_get_in_and_nobody_else() -> None:
    assert postgres_settings.identities("alice", lent=False) == (
        'ordinaut "alice" ordinaut\n'
        'ordinaut "alice" postgres\n'
        'ordinaut "root" ordinaut\n'
        'ordinaut "root" postgres\n'
    )


def test_an_account_that_is_only_borrowed_is_no_owner() -> None:
    assert "nobody" not in postgres_settings.identities("nobody", lent=True)
    assert '"ordinaut" ordinaut' in postgres_settings.identities("ordinaut", lent=True)


def test_letters_that_end_a_text_are_written_twice() -> None:
    assert postgres_settings.quoted("it's C:\\x") == r"'it''s C:\\x'"
    assert postgres_settings.quoted(100) == "'100'"
    assert valkey_settings.quoted(Path('/a "b" \\c')) == r'"/a \"b\" \\c"'


def test_urls_hold_any_path() -> None:
    folder = Path("/a b/ü,%@?#")
    assert url_of(folder) == (
        "postgresql://ordinaut@/ordinaut?host=%2Fa%20b%2F%C3%BC%2C%25%40%3F%23"
    )
    assert valkey_url_of(folder / "s") == "unix:///a%20b/%C3%BC%2C%25%40%3F%23/s?db=0"
