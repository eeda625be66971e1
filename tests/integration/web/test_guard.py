"""The guard at run time: nothing but a checked address is ever connected to."""

from __future__ import annotations

import ssl
from ipaddress import ip_address

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinaut_mcp.domain.address import refusal
from ordinaut_mcp.domain.tool import Fault, FaultKind
from tests.integration.web.asking import Browser, Names, Network
from tests.integration.web.site import Site, answer, redirect

pytestmark = pytest.mark.anyio


def blocked(fault: Fault) -> bool:
    return fault.kind is FaultKind.BLOCKED_ADDRESS


async def test_a_redirect_to_metadata_is_refused_before_it_is_asked(site: Site) -> None:
    """url-ssrf-046, over http because the loopback has no certificate."""
    site.on("/to-metadata", redirect("http://169.254.169.254/latest/meta-data/"))
    network = Network(to=site.port)
    browser = Browser(names=Names(redirect_test=[["8.8.8.8"]]), network=network)
    fault = await browser.fault("http://redirect.test/to-metadata", allow_http=True)
    assert blocked(fault)
    assert "169.254.169.254" in fault.message
    assert network.dialled == [("8.8.8.8", 80)]
    assert len(site.asked) == 1


async def test_a_redirect_to_a_name_of_a_private_address_is_refused(site: Site) -> None:
    site.on("/a", redirect("http://inner.test/"))
    network = Network(to=site.port)
    names = Names(outer_test=[["8.8.8.8"]], inner_test=[["10.0.0.5"]])
    fault = await Browser(names=names, network=network).fault(
        "http://outer.test/a", allow_http=True
    )
    assert blocked(fault)
    assert network.dialled == [("8.8.8.8", 80)]


async def test_a_name_that_changes_its_answer_is_connected_to_where_it_was_checked(
    site: Site,
) -> None:
    """url-ssrf-047: the second answer of the resolver would be the loopback."""
    site.on("/", answer(b"checked"))
    names = Names(rebind_test=[["8.8.8.8"], ["127.0.0.1"]])
    network = Network(to=site.port)
    browser = Browser(names=names, network=network)
    assert (await browser.get("http://rebind.test/", allow_http=True))["body"] == "checked"
    assert (names.asked, network.dialled) == (["rebind.test"], [("8.8.8.8", 80)])
    fault = await browser.fault("http://rebind.test/", allow_http=True)
    assert blocked(fault)
    assert network.dialled == [("8.8.8.8", 80)]


async def test_a_redirect_to_itself_is_resolved_and_checked_anew(site: Site) -> None:
    site.on("/", redirect("/again"))
    network = Network(to=site.port)
    names = Names(rebind_test=[["8.8.8.8"], ["127.0.0.1"]])
    fault = await Browser(names=names, network=network).fault(
        "http://rebind.test/", allow_http=True
    )
    assert blocked(fault)
    assert network.dialled == [("8.8.8.8", 80)]


@pytest.mark.parametrize("mixed", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
async def test_one_inner_address_among_public_ones_refuses_them_all(mixed: list[str]) -> None:
    network = Network()
    browser = Browser(names=Names(a_test=[mixed]), network=network)
    assert blocked(await browser.fault("https://a.test/", method="POST"))
    assert network.dialled == []


async def test_an_answer_that_is_no_address_is_refused() -> None:
    network = Network()
    browser = Browser(names=Names(a_test=[["not an address"]]), network=network)
    assert blocked(await browser.fault("https://a.test/"))
    assert network.dialled == []


async def test_the_systems_own_resolver_is_held_to_it_too() -> None:
    from ordinaut_mcp.domain.address import Allowance
    from ordinaut_mcp.domain.web_url import parse_url
    from ordinaut_mcp.errors import InvalidInput
    from ordinaut_mcp.web.network import checked_addresses, resolve

    assert "127.0.0.1" in await resolve("localhost", 80)
    allowance = Allowance.parse(["localhost:9"])
    url = parse_url("http://localhost:9/", field="url", allowance=allowance)
    found = await checked_addresses(url, allowance=allowance, resolve=resolve)
    assert ip_address("127.0.0.1") in found
    with pytest.raises(InvalidInput, match="public addresses only"):
        await checked_addresses(url, allowance=Allowance(), resolve=resolve)


TLS = ssl.create_default_context()
ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.sampled_from(["127.0.0.1", "::1", "169.254.169.254", "64:ff9b::7f00:1", "8.8.8.8"]),
    st.sampled_from(["2606:4700:4700::1111", "1.1.1.1"]),
).map(str)


@settings(max_examples=150, deadline=None)
@given(answers=st.lists(st.lists(ADDRESSES, max_size=4), min_size=1, max_size=3))
def test_no_address_outside_the_public_ones_is_ever_connected_to(answers: list[list[str]]) -> None:
    network = Network()
    names = Names(a_test=answers)

    async def ask_often() -> None:
        for _ in range(3):
            await Browser(names=names, network=network, tls=TLS).fault("https://a.test/")

    anyio.run(ask_often)
    assert [one for one, _ in network.dialled if refusal(ip_address(one))] == []
    assert {port for _, port in network.dialled} <= {443}


@settings(max_examples=60, deadline=None)
@given(address=st.ip_addresses())
def test_an_address_in_the_url_is_held_to_the_same(address: object) -> None:
    network = Network()
    host = f"[{address}]" if ":" in str(address) else str(address)

    async def ask() -> None:
        await Browser(network=network, tls=TLS).fault(f"https://{host}/")

    anyio.run(ask)
    expected = [] if refusal(ip_address(str(address))) else [(str(address), 443)]
    assert network.dialled == expected
