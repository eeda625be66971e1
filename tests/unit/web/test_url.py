"""URLs, read strictly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.web_url import WebUrl, parse_url, redirected
from ordinaut_mcp.errors import InvalidInput

NONE = Allowance()


def read(text: str, *allowed: str, **more: Any) -> WebUrl:
    return parse_url(text, field="url", allowance=Allowance.parse(allowed), **more)


def code_of(text: str, *allowed: str, **more: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(text, *allowed, **more)
    assert caught.value.field == "url"
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM./a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com:80/a", "https://example.com:80/a"),
        ("https://example.com?x", "https://example.com/?x"),
        ("https://example.com/ä/{b}|c%20d", "https://example.com/%C3%A4/%7Bb%7D%7Cc%20d"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700:4700:0::1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://_dmarc.example.com/", "https://_dmarc.example.com/"),
    ],
)
def test_a_url_is_read_into_one_form(text: str, expected: str) -> None:
    assert str(read(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://",
        "https:///x",
        "https://a..b/",
        "https://-a.example/",
        "https://exa mple.com/",
        "https://exam\u2028ple.com/",
        "https://example.com:0/",
        "https://example.com:/",
        "https://example.com:x/",
        "https://[::1",
        "https://[1.2.3.4]/",
        "https://[fe80::1%25eth0]/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://1.2.3.0x/extra.9z",
        "https://09.1.1.1/",
        "https://0xg.1/",
        "https://8.8.2056/",
        "https://134744072/",
        "https://010.8.8.8/",
        "https://\u0301\u0301/",
        "https://a\u200d.example/",
        f"https://{'a.' * 130}example/",
        "https://1.9z.1/",
        f"https://{'a' * 64}.example/",
    ],
)
def test_what_parsers_disagree_about_is_refused(text: str) -> None:
    assert code_of(text) == "invalid_url"


@pytest.mark.parametrize(
    "text",
    [
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://127.0.0.1./",
        "https://127。0。0。1/",
        "https://0x/",
        "https://foo.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://[::ffff:127.0.0.1]/",
    ],
)
def test_every_spelling_of_an_inner_place_is_refused(text: str) -> None:
    assert code_of(text) == "blocked_address"


def test_http_must_be_asked_for() -> None:
    assert code_of("http://example.com/") == "invalid_url"
    assert str(read("http://example.com/", allow_http=True)) == "http://example.com/"


def test_an_allowed_place_is_open_in_every_way() -> None:
    assert read("http://localhost:8080/a", "localhost:8080").authority == "localhost:8080"
    assert read("http://[::1]:8080/a", "[::1]:8080").authority == "[::1]:8080"
    assert code_of("http://localhost:8081/a", "localhost:8080") == "blocked_address"


def test_a_query_is_added_and_encoded() -> None:
    url = read("https://example.com/a?b=1")
    more = {"c": "ä &", "d": [1, True, "x"], "e": 1.5, "f": False}
    assert url.asking(more).target == "/a?b=1&c=%C3%A4+%26&d=1&d=true&d=x&e=1.5&f=false"
    assert read("https://example.com/a").asking({"x": "1"}).target == "/a?x=1"
    assert url.asking({}) is url


def test_what_is_shown_holds_no_query() -> None:
    assert read("https://example.com/a?token=x").shown == "https://example.com/a"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", "https://example.com/b"),
        ("c?d", "https://example.com/a/c?d"),
        ("//other.example/x", "https://other.example/x"),
        ("https://other.example", "https://other.example/"),
        ("?q", "https://example.com/a/b?q"),
    ],
)
def test_a_redirect_is_resolved_against_where_it_came_from(location: str, expected: str) -> None:
    url = read("https://example.com/a/b")
    assert str(redirected(url, location, allowance=NONE, allow_http=True)) == expected


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://example.com/", "invalid_url"),
        ("https://127.0.0.1/", "blocked_address"),
        ("https://example.com:22/", "blocked_port"),
        ("file:///etc/passwd", "invalid_url"),
        ("https://exam\tple.com/", "invalid_url"),
        ("\\\\127.0.0.1\\x", "invalid_url"),
        ("https://u:p@example.com/", "invalid_url"),
        ("/" + "a" * 3000, "too_long"),
    ],
)
def test_a_redirect_is_held_to_the_same_rules(location: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        redirected(read("https://example.com/"), location, allowance=NONE, allow_http=True)
    assert caught.value.code == code


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_by_a_code(text: str) -> None:
    found = outcome(f"https://{text}")
    if isinstance(found, WebUrl):
        assert str(found).isascii()
        assert str(read(str(found))) == str(found)
    else:
        assert found in {"invalid_url", "blocked_address", "blocked_port", "too_long"}


def outcome(text: str) -> WebUrl | str:
    try:
        return read(text)
    except InvalidInput as error:
        return error.code
