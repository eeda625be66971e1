"""The URL of a web request, read strictly: what parsers disagree about is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, cast
from unicodedata import normalize
from urllib.parse import quote, urlencode, urljoin

from ordinaut_mcp.domain.address import Address, Allowance, parse_address
from ordinaut_mcp.errors import InvalidInput

LONGEST: Final = 2048
PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
_KEPT: Final = "!#$%&'()*+,/:;=?@[]~"
_INSIDE: Final = ("localhost", "local", "internal")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebUrl:
    """One place and what is asked of it; `host` in lower case and ASCII, no brackets."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, percent-encoded."""

    @property
    def address(self) -> Address | None:
        """The address that stands in the place of a name."""
        return parse_address(self.host)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who is asked (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For messages: without the query, which may hold what is nobody's business."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def asking(self, query: Mapping[str, Any]) -> WebUrl:
        """The same with more parameters; a list gives one parameter for each item."""
        pairs = {name: _words(value) for name, value in query.items()}
        if not pairs:
            return self
        more = urlencode(pairs, doseq=True)
        target = f"{self.target}{'&' if '?' in self.target else '?'}{more}"
        return WebUrl(scheme=self.scheme, host=self.host, port=self.port, target=target)


def parse_url(text: str, *, field: str, allowance: Allowance, allow_http: bool = False) -> WebUrl:
    """Read a URL and hold it to what may be asked at all, as far as its text tells.

    Raises:
        InvalidInput: too_long, invalid_url, blocked_address or blocked_port.
    """
    if len(text) > LONGEST:
        raise InvalidInput(
            f"{field} is longer than {LONGEST} characters", code="too_long", field=field
        )
    url = _parsed(text, field)
    _check_host(url, field, allowance)
    if url.port not in PORTS.values() and not allowance.opens(url.host, url.port):
        raise InvalidInput(
            f"{field}: port {url.port} is not open to requests, only 80 and 443 are",
            code="blocked_port",
            field=field,
            hint=f"An operator can allow it: ORDINAUT_HTTP_ALLOW={url.host}:{url.port}",
        )
    if url.scheme == "http" and not (allow_http or allowance.opens(url.host, url.port)):
        raise _invalid(field, "is not encrypted", "Use https, or give allow_http: true.")
    return url


def redirected(url: WebUrl, location: str, *, allowance: Allowance, allow_http: bool) -> WebUrl:
    """Where a redirect leads, held to the same rules; never from https to http.

    Raises:
        InvalidInput: as `parse_url`.
    """
    if _UNSAFE.search(location):
        raise _invalid("the redirect", "leads to what is no URL")
    found = parse_url(
        urljoin(str(url), location),
        field="the redirect",
        allowance=allowance,
        allow_http=allow_http,
    )
    if (url.scheme, found.scheme) == ("https", "http"):
        raise _invalid("the redirect", "leads from https to http")
    return found


def blocked(field: str, shown: str, what: str) -> InvalidInput:
    """The refusal of an address, in one sentence."""
    return InvalidInput(
        f"{field}: {shown} is {what}; requests go to public addresses only",
        code="blocked_address",
        field=field,
        hint="An operator can allow a place with ORDINAUT_HTTP_ALLOW=host:port.",
    )


def _parsed(text: str, field: str) -> WebUrl:
    found = None if _UNSAFE.search(text) else _URL.fullmatch(text)
    if found is None:
        raise _invalid(field, "is not an http or https URL")
    scheme, authority, target = found[1].lower(), found[2], found[3]
    if "@" in authority:
        raise _invalid(field, "holds a user or password", "Send it in the header Authorization.")
    place = _AUTHORITY.fullmatch(authority)
    if place is None or "%" in authority:
        raise _invalid(field, "has a host or port that cannot be read")
    port = int(place[2]) if place[2] else PORTS[scheme]
    if not 0 < port < 65536:
        raise _invalid(field, f"has the port {port}, which there is not")
    rooted = target if target.startswith("/") else f"/{target}"
    return WebUrl(
        scheme=scheme,
        host=_host(place[1], field),
        port=port,
        target=quote(rooted, safe=_KEPT, errors="replace"),
    )


def _host(text: str, field: str) -> str:
    if text.startswith("["):
        literal = parse_address(text[1:-1])
        if not isinstance(literal, IPv6Address):
            raise _invalid(field, "has an address that cannot be read")
        return str(literal)
    host = _ascii(text, field).removesuffix(".")
    last = host.rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        return _ipv4(host, field)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise _invalid(field, "has a host that is no name")
    return host


def _ascii(text: str, field: str) -> str:
    """The name as resolvers get it: circled digits and the like are plain ones."""
    folded = normalize("NFKC", text).lower()
    if folded.isascii():
        return folded
    import idna

    try:
        return idna.encode(folded, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise _invalid(field, "has a host that is no name") from error


def _ipv4(host: str, field: str) -> str:
    """A host that ends in a number is an address, in whatever spelling (WHATWG URL)."""
    try:
        return str(IPv4Address(host))
    except ValueError:
        spelled = _spelled(host)
    if spelled is None:
        raise _invalid(field, "has an address that cannot be read")
    what = Allowance().refusal(spelled, host="", port=0)
    if what:
        raise blocked(field, f"{host}, that is {spelled},", what)
    raise _invalid(field, "spells an address in an unusual way", f"Write {spelled}.")


def _spelled(host: str) -> IPv4Address | None:
    """What `inet_aton` makes of one to four numbers, decimal, octal or hexadecimal."""
    try:
        numbers = [_number(part) for part in host.split(".")]
    except ValueError:
        return None
    *heads, tail = numbers
    if len(heads) > 3 or any(head > 255 for head in heads) or tail >= 256 ** (4 - len(heads)):
        return None
    return IPv4Address(sum(head << (24 - 8 * at) for at, head in enumerate(heads)) + tail)


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    if not part.isdigit():
        raise ValueError(part)
    return int(part, 8) if part.startswith("0") else int(part)


def _check_host(url: WebUrl, field: str, allowance: Allowance) -> None:
    if url.address is not None:
        what = allowance.refusal(url.address, host=url.host, port=url.port)
        if what:
            raise blocked(field, url.host, what)
    elif url.host.rpartition(".")[2] in _INSIDE and not allowance.opens(url.host, url.port):
        raise blocked(field, url.host, "a name of this host or of an inner network")


def _words(value: Any) -> Any:
    """True and 1.0 as JSON writes them; a list item by item."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_words(item) for item in cast("list[Any]", value)]
    return value


def _invalid(field: str, what: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"{field} {what}", code="invalid_url", field=field, hint=hint)
