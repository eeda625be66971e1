"""Which addresses requests may reach, and what the operator opens."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinaut_mcp.domain.address import Allowance, parse_address, refusal
from ordinaut_mcp.errors import InvalidInput

INSIDE = [
    "0.0.0.0",  # noqa: S104 — an address to be refused
    "10.0.0.5",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3ffe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "2606:4700:4700::1111%eth0",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "168.63.129.15",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450::1",
]


@pytest.mark.parametrize("text", INSIDE)
def test_what_leads_back_inside_is_refused(text: str) -> None:
    assert refusal(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_let_through(text: str) -> None:
    assert refusal(ip_address(text)) is None


@given(st.ip_addresses(v=6))
def test_nothing_outside_the_public_part_of_ipv6_passes(address: IPv6Address) -> None:
    assert refusal(address) is not None or int(address) >> 125 == 0b001


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_passes_by_being_written_as_ipv6(address: IPv4Address) -> None:
    number = int(address)
    for embedded in (
        IPv6Address(number),
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert refusal(embedded)


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_refused_here_too(address: IPv4Address) -> None:
    # 192.0.0.9 and .10 and the AS112 blocks are the exceptions that it knows: refused here.
    assert refusal(address) is not None or address.is_global


def test_a_text_is_an_address_or_none() -> None:
    assert parse_address("1.2.3.4") == IPv4Address("1.2.3.4")
    assert parse_address("::1") == IPv6Address("::1")
    assert parse_address("127.1") is None
    assert parse_address("example.com") is None


def test_a_network_opens_its_addresses_and_no_others() -> None:
    allowance = Allowance.parse(["10.1.0.0/16", "fd00:1::/64"])
    for text in ("10.1.2.3", "fd00:1::7"):
        assert allowance.refusal(ip_address(text), host="inside.example", port=443) is None
    for text in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3", "fd00:2::7"):
        assert allowance.refusal(ip_address(text), host="inside.example", port=443)


def test_a_place_opens_one_port_of_one_host() -> None:
    allowance = Allowance.parse(["Intranet.example.:8080", "127.0.0.1:9000", "[::1]:9001"])
    inner = ip_address("10.0.0.5")
    assert allowance.opens("intranet.example", 8080)
    assert allowance.refusal(inner, host="intranet.example", port=8080) is None
    assert allowance.refusal(inner, host="intranet.example", port=80)
    assert allowance.refusal(inner, host="other.example", port=8080)
    assert allowance.refusal(ip_address("127.0.0.1"), host="127.0.0.1", port=9000) is None
    assert allowance.refusal(ip_address("::1"), host="::1", port=9001) is None
    assert allowance.refusal(ip_address("127.0.0.1"), host="127.0.0.1", port=9001)


@pytest.mark.parametrize(
    "guarded",
    ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"],
)
def test_an_allowed_name_does_not_open_where_clouds_keep_credentials(guarded: str) -> None:
    allowance = Allowance.parse(["intranet.example:80"])
    assert allowance.refusal(ip_address(guarded), host="intranet.example", port=80)


def test_credentials_of_a_cloud_are_opened_by_their_own_address_only() -> None:
    allowance = Allowance.parse(["169.254.169.254:80"])
    address = ip_address("169.254.169.254")
    assert allowance.refusal(address, host="169.254.169.254", port=80) is None


@pytest.mark.parametrize(
    "entry",
    ["example.com", ":80", "a:b", "a:0", "a:65536", "10.0.0.1/8", "x/8", "a:²", "::1", "a:b:80"],
)
def test_an_entry_that_says_neither_is_refused_by_its_name(entry: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Allowance.parse([entry])
    assert (caught.value.code, caught.value.field) == ("invalid_config", "http_allow")
    assert repr(entry) in caught.value.message
