"""oidc-provider as a fixture: its applications, their keys and certificates, and a browser that logs in and agrees."""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.cookiejar import CookieJar
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, Request, build_opener

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.real.node import need, package
from tests.real.process import direct, serving

HERE = Path(__file__).parent
REDIRECT = "http://127.0.0.1:8765/callback"
LIFETIME = 100
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Oidc(msgspec.Struct, frozen=True):
    """The server's addresses, and what its applications prove themselves with (PEM)."""

    url: str
    secure: str
    robot_key: str
    ca: str
    client_certificate: str
    client_key: str

    def grants(self) -> dict[str, int]:
        """How many tokens were given so far, by grant type."""
        with direct.open(f"{self.url}/grants") as answer:
            return json.load(answer)  # type: ignore[no-any-return]


@contextmanager
def serve_oidc() -> Iterator[Oidc]:
    node = need("node")
    package("oidc-provider")
    robot = rsa.generate_private_key(65537, 2048)
    authority, client = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate("the authority", authority)
    shown = certificate("robot with a certificate", client, signer=(ca, authority))

    def command(port: int, folder: Path) -> list[str]:
        key = ec.generate_private_key(ec.SECP256R1())
        folder.joinpath("ca.pem").write_text(pem(ca))
        folder.joinpath("server.pem").write_text(pem(certificate("localhost", key, signer=(ca, authority))))
        folder.joinpath("server.key").write_text(pem(key))
        folder.joinpath("config.json").write_text(json.dumps({"clients": applications(robot), "ttl": LIFETIME}))
        return [node, str(HERE / "oidc_server.mjs"), str(port), str(folder)]

    with serving(command, health="/.well-known/openid-configuration") as url:
        with direct.open(f"{url}/secure") as answer:
            secure = json.load(answer)["url"]
        yield Oidc(url, secure, pem(robot), pem(ca), pem(shown), pem(client))


def applications(robot: rsa.RSAPrivateKey) -> list[dict[str, Any]]:
    interactive = {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}
    device = "urn:ietf:params:oauth:grant-type:device_code"
    alone = {"grant_types": ["client_credentials"], "response_types": [], "redirect_uris": []}
    numbers = robot.public_key().public_numbers()
    jwk = {"kty": "RSA", "use": "sig", "kid": "k1", "n": _number(numbers.n), "e": _number(numbers.e)}
    subject = "CN=robot with a certificate"
    return [
        {"client_id": "web", "client_secret": "web secret+/%", "redirect_uris": [REDIRECT], **interactive},
        {"client_id": "native", "token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/callback"],
         "application_type": "native", **interactive},
        {"client_id": "tv", "token_endpoint_auth_method": "none", "grant_types": [device, "refresh_token"],
         "response_types": [], "redirect_uris": []},
        {"client_id": "basic:robot", "client_secret": "a:b c&d", **alone},
        {"client_id": "posting", "client_secret": "post secret", "token_endpoint_auth_method": "client_secret_post", **alone},
        {"client_id": "signing", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}, **alone},
        {"client_id": "certified", "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": subject,
         "tls_client_certificate_bound_access_tokens": True, **alone},
    ]  # fmt: skip


def _number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate(
    name: str, key: Key, signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> x509.Certificate:
    """A certificate for an hour: the authority itself, or one that it signed."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer[1].public_key())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(issuer, critical=False).add_extension(names, critical=False)
    else:
        usage = {name: name == "key_cert_sign" for name in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        )}  # fmt: skip
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    return builder.sign(signer[1] if signer else key, hashes.SHA256())


def pem(thing: x509.Certificate | Key) -> str:
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(Encoding.PEM).decode()
    return thing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class _Still(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """Follows links and fills in forms, as a person would who logs in and agrees to everything."""

    def __init__(self) -> None:
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()), _Still())

    def agree(self, url: str, until: str = "http://127.0.0.1:8765/", **typed: str) -> str:
        """The first address that begins with `until`; or the last page, where none does."""
        typed = {"login": "ada", "password": "x", **typed}
        form: dict[str, str] | None = None
        for _ in range(30):
            if url.startswith(until):
                return url
            place, page = self._open(url, form)
            form = None
            if place is not None:
                url = urljoin(url, place)
                continue
            found = re.search(r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", page, re.S)
            if found is None:
                return page
            url = urljoin(url, unescape(found[1]))
            inputs = re.findall(r"<input[^>]*>", found[2])
            fields = {_attribute(one, "name"): _attribute(one, "value") for one in inputs}
            form = {name: typed.get(name, value) for name, value in fields.items() if name}
        raise AssertionError(f"the log-in does not come to an end, at {url}")

    def _open(self, url: str, form: dict[str, str] | None) -> tuple[str | None, str]:
        request = Request(url, data=urlencode(form).encode() if form is not None else None)
        try:
            with self._opener.open(request, timeout=10) as answer:
                return None, answer.read().decode()
        except HTTPError as answer:
            if answer.code in (302, 303):
                return answer.headers["Location"], ""
            raise AssertionError(f"{url}: {answer.code} {answer.read()[:500]!r}") from None


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"\b{name}=\"([^\"]*)\"", tag)
    return unescape(found[1]) if found else ""
