"""What OpenSSL makes of certificates and keys, and what is said where it makes nothing of them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from syncline.auth import Certificate
from syncline.errors import AuthError
from syncline.http.tls import show
from syncline.model import Secret
from tests.real.oidc import certificate, pem

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
CHAIN = pem(certificate("client", KEY))
LOCKED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary-pw")).decode()


def described(chain: str, key: str | None = None, password: str | None = None) -> Certificate:
    return Certificate(
        chain=Secret(chain),
        key=Secret(key) if key is not None else None,
        password=Secret(password) if password is not None else None,
    )


def shown(given: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context()
    show(context, given)
    return context


def test_texts_and_paths_are_both_read(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text(CHAIN + pem(KEY))
    shown(described(CHAIN, pem(KEY)))
    shown(described(CHAIN.replace("\n", "\\n"), pem(KEY).replace("\n", "\\n")))
    shown(described(CHAIN, LOCKED, "canary-pw"))
    context = shown(described(str(both)))
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (described(CHAIN, pem(OTHER)), "do not belong together"),
        (described(CHAIN, pem(rsa.generate_private_key(65537, 2048))), "do not belong together"),
        (described(CHAIN, LOCKED), "password"),
        (described(CHAIN, LOCKED, "canary-wrong"), "password"),
        (described(CHAIN, "-----BEGIN canary"), "PEM"),
        (described("nowhere.pem"), "paths count from"),
    ],
)
def test_what_cannot_be_used_is_explained_without_showing_it(given: Certificate, said: str) -> None:
    with pytest.raises(AuthError) as caught:
        shown(given)
    assert said in str(caught.value.hint) and "canary" not in caught.value.block() + repr(given)


def test_texts_leave_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown(described(CHAIN, pem(KEY)))
    assert list(tmp_path.iterdir()) == []
