"""The last words of a server, and how its end is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.bridge.account import Account
from ordinaut_mcp.bridge.tail import Tail


@given(st.lists(st.binary(max_size=30)), st.integers(1, 50))
def test_no_more_than_the_end_is_kept(chunks: list[bytes], kept: int) -> None:
    tail = Tail(kept)
    for chunk in chunks:
        tail.feed(chunk)
    whole = b"".join(chunks)[-kept:].decode("utf-8", "replace")
    assert len(tail.text()) == len(whole)


def test_the_last_line_that_says_anything_is_quoted() -> None:
    tail = Tail()
    tail.feed(b"Traceback\n  KeyError: 'x'\n\n   \n")
    assert tail.last_words() == "KeyError: 'x'"


def test_long_last_words_are_cut_and_control_characters_replaced() -> None:
    tail = Tail()
    tail.feed(b"\x1b[31m" + b"x" * 400)
    assert tail.last_words() == "…" + "x" * 300
    tail.feed(b"\n\x1b[31mred\xff")
    assert tail.last_words() == "\ufffd[31mred\ufffd"


def test_a_silent_server_has_no_last_words() -> None:
    assert Tail().last_words() == ""


def test_an_end_is_told_with_what_is_known_of_it() -> None:
    account = Account(server="s")
    assert account.says() == "it closed the connection"
    account.exit_code = 3
    assert account.says() == "it ended with exit code 3"
    account.tail.feed(b"no key\n")
    assert account.says() == "it ended with exit code 3; its last words: no key"
    account.reason = "message_too_large"
    assert account.says() == "message_too_large; its last words: no key"
