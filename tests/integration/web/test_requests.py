"""`http.request` against a real server on the loopback that the operator allowed."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.tool import FaultKind
from tests.integration.web.asking import KEY, Browser, Names, Network
from tests.integration.web.site import Line, Site, answer

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


async def test_json_comes_back_as_the_value_it_spells(site: Site) -> None:
    site.on("/a", answer(b'{"n": [1, 2.5, null]}', "x-a: 1", kind="application/json"))
    result = await Browser(site.place).get(f"{site.url}/a", query={"q": "ä b", "n": [1, 2]})
    assert result["json"] == {"n": [1, 2.5, None]}
    assert result["status"] == 200
    assert result["headers"]["x-a"] == "1"
    assert result["url"] == f"{site.url}/a?q=%C3%A4+b&n=1&n=2"
    assert "body" not in result
    [asked] = site.asked
    assert asked.target == "/a?q=%C3%A4+b&n=1&n=2"
    assert asked.headers["host"] == site.place
    assert asked.headers["user-agent"].startswith("ordinaut/")
    assert "idempotency-key" not in asked.headers


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/problem+json", b"[1]", {"json": [1]}),
        ("application/json", b"{broken", {"body": "{broken"}),
        ("application/json", b'{"a": NaN}', {"body": '{"a": NaN}'}),
        ("text/plain", "ä".encode(), {"body": "ä"}),
        ("text/plain; charset=iso-8859-1", b"\xe4", {"body": "ä"}),
        ("text/plain; charset=punycode", "ä".encode(), {"body": "ä"}),
        ("text/plain; charset=iso-8859-99", b"a", {"body": "a"}),
        ("text/plain; charset=us-ascii", "ä".encode(), {"body": "ä"}),
        ("image/png", b"\x89PNG\xff", {"body_base64": "iVBOR/8="}),
        ("text/plain", b"a\0b", {"body_base64": "YQBi"}),
        ("", b"", {"body": ""}),
    ],
)
async def test_a_body_is_json_else_text_else_itself(
    site: Site, kind: str, body: bytes, expected: dict[str, object]
) -> None:
    site.on("/a", answer(body, kind=kind))
    result = await Browser(site.place).get(f"{site.url}/a")
    told = {name: result[name] for name in ("json", "body", "body_base64") if name in result}
    assert told == expected


async def test_a_post_sends_its_body_and_the_steps_key(site: Site) -> None:
    site.on("/a", answer(b"ok", status="201 Created"))
    result = await Browser(site.place).get(
        f"{site.url}/a", method="POST", json={"a": "ä"}, headers={"Authorization": "Bearer x"}
    )
    [asked] = site.asked
    assert (result["status"], asked.method) == (201, "POST")
    assert json.loads(asked.body) == {"a": "ä"}
    assert asked.headers["idempotency-key"] == KEY
    assert asked.headers["authorization"] == "Bearer x"
    assert asked.headers["content-type"] == "application/json"


async def test_a_callers_own_key_wins(site: Site) -> None:
    site.on("/a", answer())
    headers = {"Idempotency-Key": "mine"}
    await Browser(site.place).get(f"{site.url}/a", method="DELETE", headers=headers)
    assert site.asked[0].headers["idempotency-key"] == "mine"


async def test_a_head_has_no_body_whatever_it_says(site: Site) -> None:
    site.on("/a", b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n")
    result = await Browser(site.place).get(f"{site.url}/a", method="HEAD")
    assert (result["status"], result["body"]) == (200, "")


async def test_headers_that_come_twice_are_joined(site: Site) -> None:
    site.on("/a", answer(b"", "vary: a", "Vary: b", "set-cookie: a=1, x", "set-cookie: b=2"))
    result = await Browser(site.place).get(f"{site.url}/a")
    assert result["headers"]["vary"] == "a, b"
    assert result["headers"]["set-cookie"] == "a=1, x\nb=2"


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oops", "599 Own"])
async def test_a_status_of_400_and_above_fails_the_step(site: Site, status: str) -> None:
    site.on("/a", answer(b"because of " + b"x" * 500, status=status))
    fault = await Browser(site.place).fault(f"{site.url}/a?token=hunter22")
    assert (fault.kind, fault.sent) == (FaultKind.TOOL_ERROR, True)
    assert f"GET {site.url}/a answered {status[:3]}" in fault.message
    assert "because of xxx" in fault.message
    assert len(fault.message) < 420
    assert "hunter22" not in fault.message
    assert fault.hint == f"If this is a result for the step, give allow_status: [{status[:3]}]."


async def test_a_status_that_is_allowed_is_a_result(site: Site) -> None:
    result = await Browser(site.place).get(f"{site.url}/none", allow_status=[404])
    assert (result["status"], result["body"]) == (404, "not here")


@pytest.mark.parametrize("status", ["429 Too Many", "503 Away"])
@pytest.mark.parametrize(
    ("wait", "said"),
    [
        ("120", "The server asks to wait (Retry-After: 120 s)."),
        (
            "Wed, 21 Oct 2026 07:28:00 GMT",
            "The server asks to wait (Retry-After: Wed, 21 Oct 2026 07:28:00 GMT).",
        ),
    ],
)
async def test_how_long_to_wait_is_told(site: Site, status: str, wait: str, said: str) -> None:
    site.on("/a", answer(b"", f"retry-after: {wait}", status=status))
    assert (await Browser(site.place).fault(f"{site.url}/a")).hint == said


HELLO = b"hello " * 1000


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(HELLO),
        zlib.compress(HELLO),
        gzip.compress(HELLO[:300]) + gzip.compress(HELLO[300:]),
    ],
    ids=["gzip", "zlib", "two members"],
)
async def test_a_packed_body_is_unpacked(site: Site, packed: bytes) -> None:
    site.on("/a", answer(packed, "content-encoding: gzip"))
    assert (await Browser(site.place).get(f"{site.url}/a"))["body"] == HELLO.decode()


async def test_an_empty_body_may_say_that_it_is_packed(site: Site) -> None:
    site.on("/a", answer(b"", "content-encoding: gzip"))
    assert (await Browser(site.place).get(f"{site.url}/a"))["body"] == ""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"x" * 999, mtime=0)[:-9]),
    ],
)
async def test_what_is_not_packed_as_it_says_is_refused(
    site: Site, encoding: str, body: bytes
) -> None:
    site.on("/a", answer(body, f"content-encoding: {encoding}"))
    fault = await Browser(site.place).fault(f"{site.url}/a")
    assert (fault.kind, fault.sent) == (FaultKind.BAD_OUTPUT, True)


async def test_a_body_of_exactly_the_bound_is_taken(site: Site) -> None:
    site.on("/a", answer(b"x" * 1000))
    site.on("/b", answer(gzip.compress(b"x" * 1000), "content-encoding: gzip"))
    browser = Browser(site.place)
    for path in ("/a", "/b"):
        assert len((await browser.get(f"{site.url}{path}", max_bytes=1000))["body"]) == 1000
        fault = await browser.fault(f"{site.url}{path}", max_bytes=999)
        assert (fault.kind, fault.sent) == (FaultKind.OUTPUT_TOO_LARGE, True)


async def test_a_gzip_bomb_stops_before_it_is_unpacked(site: Site) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(bytes(MIB)) for _ in range(128)) + bomb.flush()
    assert len(packed) < MIB
    site.on("/a", answer(packed, "content-encoding: gzip"))
    fault = await Browser(site.place).fault(f"{site.url}/a")
    assert fault.kind is FaultKind.OUTPUT_TOO_LARGE


async def test_a_body_without_an_end_is_cut_off(site: Site) -> None:
    def endless(line: Line) -> None:
        line.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2 * MIB))
        line.hang()

    site.on("/a", endless)
    fault = await Browser(site.place).fault(f"{site.url}/a")
    assert fault.kind is FaultKind.OUTPUT_TOO_LARGE


async def test_headers_have_a_bound_too(site: Site) -> None:
    site.on("/a", answer(b"", *(f"x-{at}: {'y' * 1000}" for at in range(40))))
    fault = await Browser(site.place).fault(f"{site.url}/a")
    assert fault.kind is FaultKind.OUTPUT_TOO_LARGE


def _half(line: Line) -> None:
    line.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    line.hang()


def _silent(line: Line) -> None:
    line.hang()


@pytest.mark.parametrize("reply", [_half, _silent])
async def test_the_whole_has_a_time(site: Site, reply: Callable[[Line], None]) -> None:
    site.on("/a", reply)
    within = timedelta(seconds=0.3)
    fault = await Browser(site.place).fault(f"{site.url}/a", method="POST", within=within)
    assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, True)
    assert "no whole answer within 0.3 s" in fault.message


@pytest.mark.parametrize(
    "reply", [b"junk\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]
)
async def test_a_connection_that_ends_in_the_middle_was_sent(site: Site, reply: bytes) -> None:
    site.on("/a", lambda line: line.send(reply))
    fault = await Browser(site.place).fault(f"{site.url}/a", method="POST")
    assert (fault.kind, fault.sent) == (FaultKind.CONNECTION_LOST, True)


async def test_where_nobody_is_nothing_was_sent() -> None:
    browser = Browser(names=Names(a_test=[["8.8.8.8"]]), network=Network())
    fault = await browser.fault("https://a.test/", method="POST")
    assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
    assert "POST https://a.test/: the server cannot be reached" in fault.message


@pytest.mark.parametrize("names", [Names(), Names(a_test=[[]])])
async def test_a_name_without_an_address_is_not_reachable(names: Names) -> None:
    network = Network()
    fault = await Browser(names=names, network=network).fault("https://a.test/")
    assert (fault.kind, fault.sent, network.dialled) == (FaultKind.NOT_REACHABLE, False, [])


async def test_a_server_that_is_not_reached_in_time_was_sent_nothing() -> None:
    class Slow(Network):
        async def __call__(self, address: str, port: int, timeout: float | None):  # noqa: ASYNC109 — as its base
            await anyio.sleep_forever()
            return await super().__call__(address, port, timeout)

    browser = Browser(names=Names(a_test=[["8.8.8.8"]]), network=Slow())
    within = timedelta(seconds=0.1)
    fault = await browser.fault("https://a.test/", method="POST", within=within)
    assert (fault.kind, fault.sent) == (FaultKind.TIMEOUT, False)
    assert "could not be reached in time" in fault.message


async def test_the_environments_proxies_are_not_used(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.on("/a", answer(b"direct"))
    assert (await Browser(site.place).get(f"{site.url}/a"))["body"] == "direct"


async def test_the_next_address_is_tried_where_one_does_not_answer(site: Site) -> None:
    class Broken(Network):
        async def __call__(self, address: str, port: int, timeout: float | None):  # noqa: ASYNC109 — as its base
            self._to = None if address == "1.1.1.1" else site.port
            return await super().__call__(address, port, timeout)

    network = Broken()
    names = Names(a_test=[["1.1.1.1", "8.8.8.8"]])
    site.on("/a", answer(b"second"))
    browser = Browser(names=names, network=network)
    assert (await browser.get("http://a.test/a", allow_http=True))["body"] == "second"
    assert network.dialled == [("1.1.1.1", 80), ("8.8.8.8", 80)]
    assert names.asked == ["a.test"]
