"""Positions of members agree with the parser that everybody uses."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.bridge.positions import line_of, members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 0, 2]))
def test_members_are_those_of_the_object(document: dict[str, object], indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    found = list(members(text))
    assert {member.name: member.value for member in found} == document
    for member in found:
        assert text.startswith(json.dumps(member.name), member.at)
        assert json.JSONDecoder().raw_decode(text, member.value_at)[0] == member.value


def test_repeated_members_are_all_found_with_their_lines() -> None:
    text = '{\n"a": 1,\n\n"a" : 2\n}'
    assert [(m.name, m.value, line_of(text, m.at)) for m in members(text)] == [
        ("a", 1, 2),
        ("a", 2, 4),
    ]


def test_what_is_no_object_has_no_members() -> None:
    assert list(members("[1, 2]")) == []
    assert list(members(" 5 ")) == []
