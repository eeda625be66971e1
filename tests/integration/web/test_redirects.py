"""Redirects, followed by hand."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.tool import FaultKind
from tests.integration.web.asking import KEY, Browser, Names, Network
from tests.integration.web.site import Site, answer, redirect, serving

pytestmark = pytest.mark.anyio
SECRETS = {"Authorization": "Bearer x", "Cookie": "a=1", "X-Api-Key": "y", "Accept": "text/plain"}


async def test_the_last_answer_is_the_result(site: Site) -> None:
    site.on("/a", redirect("b?c=1"))
    site.on("/b", answer(b"there"))
    result = await Browser(site.place).get(f"{site.url}/a", headers=SECRETS)
    assert (result["body"], result["url"]) == ("there", f"{site.url}/b?c=1")
    for asked in site.asked:
        assert asked.headers["authorization"] == "Bearer x"
        assert asked.headers["cookie"] == "a=1"


async def test_another_origin_gets_no_credentials(site: Site) -> None:
    with serving() as other:
        site.on("/a", redirect(f"{other.url}/b", status="307 Temporary Redirect"))
        other.on("/b", answer(b"there"))
        browser = Browser(site.place, other.place)
        await browser.get(f"{site.url}/a", method="POST", json=[1], headers=SECRETS)
        [asked] = other.asked
    assert not {"authorization", "cookie", "x-api-key"} & set(asked.headers)
    assert asked.headers["accept"] == "text/plain"
    assert (asked.method, asked.body) == ("POST", b"[1]")
    assert asked.headers["idempotency-key"] == KEY
    assert asked.headers["host"] == other.place


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        ("301 Moved", "POST", "GET"),
        ("302 Found", "POST", "GET"),
        ("303 See Other", "POST", "GET"),
        ("303 See Other", "PUT", "GET"),
        ("303 See Other", "HEAD", "HEAD"),
        ("302 Found", "PUT", "PUT"),
        ("307 Temporary", "POST", "POST"),
        ("308 Permanent", "DELETE", "DELETE"),
    ],
)
async def test_the_method_is_kept_or_becomes_a_get(
    site: Site, status: str, method: str, becomes: str
) -> None:
    site.on("/a", redirect("/b", status))
    site.on("/b", answer(b"there"))
    await Browser(site.place).get(f"{site.url}/a", method=method, body="x")
    asked = site.asked[1]
    assert asked.method == becomes
    kept = becomes == method
    assert (asked.body == b"x") is kept
    assert ("content-type" in asked.headers) is kept
    assert ("idempotency-key" in asked.headers) is (kept and method != "HEAD")


async def test_five_redirects_are_followed_and_six_are_not(site: Site) -> None:
    for at in range(1, 7):
        site.on(f"/{at}", redirect(f"/{at - 1}"))
    site.on("/0", answer(b"there"))
    browser = Browser(site.place)
    assert (await browser.get(f"{site.url}/5"))["body"] == "there"
    fault = await browser.fault(f"{site.url}/6")
    assert (fault.kind, fault.sent) == (FaultKind.TOOL_ERROR, True)
    assert "more than 5 redirects" in fault.message


async def test_a_redirect_is_a_result_where_none_is_to_be_followed(site: Site) -> None:
    site.on("/a", redirect("http://127.0.0.1:1/"))
    result = await Browser(site.place).get(f"{site.url}/a", max_redirects=0)
    assert (result["status"], result["body"]) == (302, "elsewhere")


async def test_a_redirect_that_leads_nowhere_is_a_result(site: Site) -> None:
    site.on("/a", answer(b"odd", status="304 Not Modified"))
    site.on("/b", answer(b"odd", status="302 Found"))
    browser = Browser(site.place)
    assert (await browser.get(f"{site.url}/a"))["status"] == 304
    assert (await browser.get(f"{site.url}/b"))["body"] == "odd"


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("file:///etc/passwd", FaultKind.INVALID_URL),
        ("http://127.0.0.1:1/", FaultKind.BLOCKED_ADDRESS),
        ("http://example.com:22/", FaultKind.BLOCKED_PORT),
        ("http://example.com/", FaultKind.INVALID_URL),
        ("/" + "x" * 3000, FaultKind.BAD_ARGUMENTS),
    ],
)
async def test_each_hop_is_held_to_the_rules(site: Site, location: str, kind: FaultKind) -> None:
    site.on("/a", redirect(location))
    fault = await Browser(site.place).fault(f"{site.url}/a")
    assert (fault.kind, fault.sent) == (kind, True)
    assert fault.message.startswith("the redirect")


async def test_a_redirect_to_an_allowed_place_that_is_gone_was_sent(site: Site) -> None:
    site.on("/a", redirect("http://gone.test:81/"))
    names = Names(gone_test=[["8.8.8.8"]])
    browser = Browser(site.place, "gone.test:81", names=names, network=Network(to=site.port))
    # The network leads everything to the site, which knows no such page.
    fault = await browser.fault(f"{site.url}/a")
    assert "http://gone.test:81/ answered 404" in fault.message
