"""Which network addresses a request may reach, and which the operator has opened besides.

Written out from the special-purpose registries of IANA (RFC 6890 and later), because what the
standard library calls global includes addresses that lead back inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from ordinaut_mcp.errors import InvalidInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED: Final = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a provider's inner network"),
        ("127.0.0.0/8", "this host (loopback)"),
        ("168.63.129.16/32", "a cloud's metadata service"),
        ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.31.196.0/24", "reserved for protocols"),
        ("192.52.193.0/24", "reserved for protocols"),
        ("192.88.99.0/24", "a relay into IPv6"),
        ("192.168.0.0/16", "a private network"),
        ("192.175.48.0/24", "reserved for protocols"),
        ("198.18.0.0/15", "for measurements"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("2001::/23", "reserved for protocols and tunnels"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a tunnel to an IPv4 address (6to4)"),
        ("2620:4f:8000::/48", "reserved for protocols"),
        ("3ffe::/16", "no longer in use"),
        ("3fff::/20", "for documentation"),
    )
)
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
"""All that is given out for the public Internet; the rest of IPv6 is refused whole."""
_NEVER_BY_NAME: Final = tuple(
    ip_network(network)
    for network in (
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "fd00:ec2::/32",
        "fe80::/10",
    )
)
"""Where machines of clouds get their credentials: a name that is allowed does not open them."""


def refusal(address: Address) -> str | None:
    """What kind of address this is, when no request may reach it; None: it is public."""
    if isinstance(address, IPv6Address) and (address.scope_id or address not in _PUBLIC_IPV6):
        return "not of the public part of IPv6"
    return next((what for network, what in _REFUSED if address in network), None)


def parse_address(text: str) -> Address | None:
    """The address that a text spells in its usual form; None where it spells none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the operator has opened besides the public Internet (`ORDINAUT_HTTP_ALLOW`).

    A network opens its addresses on the usual ports. A place, a host with a port, opens that
    port of that host, whatever the host's name stands for, except where clouds keep credentials.
    """

    networks: tuple[Network, ...] = ()
    places: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Allowance:
        """Read `host:port`, `[v6]:port` and CIDR entries.

        Raises:
            InvalidInput: invalid_config, naming the entry.
        """
        networks: list[Network] = []
        places: set[tuple[str, int]] = set()
        for entry in entries:
            if "/" in entry:
                networks.append(_network(entry))
            else:
                places.add(_place(entry))
        return cls(tuple(networks), frozenset(places))

    def opens(self, host: str, port: int) -> bool:
        """Whether this place is named; the host in lower case, an address without brackets."""
        return (host, port) in self.places

    def refusal(self, address: Address, *, host: str, port: int) -> str | None:
        """Why a connection to the address may not be made for this host; None: it may."""
        what = refusal(address)
        if what is None or any(address in network for network in self.networks):
            return None
        if self.opens(str(address), port):
            return None
        is_guarded = any(address in network for network in _NEVER_BY_NAME)
        return what if is_guarded or not self.opens(host, port) else None


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise _wrong(entry) from error


def _place(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise _wrong(entry)
    literal = parse_address(host.strip("[]"))
    if (":" in host or "[" in host) and literal is None:
        raise _wrong(entry)
    return (str(literal) if literal else host.lower().rstrip(".")), int(port)


def _wrong(entry: str) -> InvalidInput:
    return InvalidInput(
        f"ORDINAUT_HTTP_ALLOW (or 'http_allow'): {entry!r} is neither host:port nor a network.",
        code="invalid_config",
        field="http_allow",
        hint="Write host:port (intranet.example:8080, 127.0.0.1:9000, [::1]:9000) or a network"
        " in CIDR form (10.1.0.0/16).",
    )
