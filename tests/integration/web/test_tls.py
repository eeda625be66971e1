"""Encrypted requests: connected to the checked address, certified for the name."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ordinaut_mcp.domain.tool import FaultKind
from tests.integration.web.asking import Browser, Names, Network
from tests.integration.web.site import Site, answer, serving

pytestmark = pytest.mark.anyio
NAME = "secure.test"


@dataclass(frozen=True, slots=True)
class Secure:
    """A site with a certificate for one name, and a client's trust in it."""

    site: Site
    trust: ssl.SSLContext
    names: list[str | None]
    """What the clients said in the handshake (SNI)."""


def certificate(folder: Path) -> Path:
    """A fresh certificate for the name, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def secure(tmp_path: Path) -> Generator[Secure]:
    path = certificate(tmp_path)
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def note(_connection: object, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name)

    context.sni_callback = note
    with serving(context) as site:
        site.on("/a", answer(b"secret"))
        yield Secure(site, ssl.create_default_context(cafile=path), names)


async def test_the_name_is_said_and_checked_though_an_address_is_connected_to(
    secure: Secure,
) -> None:
    network = Network(to=secure.site.port)
    browser = Browser(names=Names(secure_test=[["8.8.8.8"]]), network=network, tls=secure.trust)
    assert (await browser.get(f"https://{NAME}/a"))["body"] == "secret"
    assert network.dialled == [("8.8.8.8", 443)]
    assert secure.names == [NAME]
    assert secure.site.asked[0].headers["host"] == NAME


async def test_a_certificate_for_another_name_is_refused(secure: Secure) -> None:
    browser = Browser(
        names=Names(other_test=[["8.8.8.8"]]),
        network=Network(to=secure.site.port),
        tls=secure.trust,
    )
    fault = await browser.fault("https://other.test/a", method="POST")
    assert (fault.kind, fault.sent) == (FaultKind.NOT_REACHABLE, False)
    assert "certificate" in fault.message
    assert secure.site.asked == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Secure) -> None:
    browser = Browser(names=Names(secure_test=[["8.8.8.8"]]), network=Network(to=secure.site.port))
    fault = await browser.fault(f"https://{NAME}/a")
    assert fault.kind is FaultKind.NOT_REACHABLE
    assert secure.site.asked == []
