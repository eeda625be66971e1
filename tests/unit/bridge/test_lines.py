"""Lines within bounds: laws that hold however the bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.bridge.lines import Dropped, Flood, Lines

CHUNKS = st.lists(st.binary(max_size=20) | st.just(b"\n") | st.just(b"ab\ncd\n"), max_size=20)


@given(CHUNKS)
def test_lines_are_those_of_the_whole_however_it_is_cut(chunks: list[bytes]) -> None:
    lines = Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    assert found == b"".join(chunks).split(b"\n")[:-1]


@given(CHUNKS, st.integers(1, 10))
def test_a_line_is_dropped_exactly_when_it_is_too_long(chunks: list[bytes], longest: int) -> None:
    lines = Lines(longest)
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    whole = b"".join(chunks).split(b"\n")[:-1]
    assert found == [
        line if len(line) <= longest else Dropped(line[:512], line[-512:], len(line))
        for line in whole
    ]


@pytest.mark.parametrize("step", [1, 7, 100, 2000])
def test_of_a_dropped_line_both_ends_and_the_length_are_kept(step: int) -> None:
    content = bytes(range(48, 58)) * 200
    lines = Lines(longest=600)
    chunks = [content[at : at + step] for at in range(0, len(content), step)]
    found = [line for chunk in [*chunks, b"\nnext\n"] for line in lines.feed(chunk)]
    assert found == [Dropped(content[:512], content[-512:], 2000), b"next"]


def test_a_line_that_never_ends_is_given_up() -> None:
    lines = Lines(longest=10, flood=100)
    assert list(lines.feed(b"0" * 100)) == []
    with pytest.raises(Flood, match="message_too_large") as raised:
        list(lines.feed(b"0"))
    assert raised.value.dropped.size == 101
