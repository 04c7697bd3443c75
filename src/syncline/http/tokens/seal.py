"""Sealing: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce, bound to the token's name."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Protocol

from syncline.errors import AuthError
from syncline.http.tokens.keys import Key

MARK = b"syncline1"
NONCE = 12


def sealed(content: bytes, name: str, key: Key) -> bytes:
    """`mark key-id nonce+ciphertext`, the first two in clear. Raises AuthError where the package is missing."""
    nonce = secrets.token_bytes(NONCE)
    header = b"%s %s " % (MARK, key.id.encode())
    return header + nonce + _cipher(key).encrypt(nonce, content, header + name.encode())


def unsealed(content: bytes, name: str, keys: Sequence[Key], place: str) -> bytes:
    """What was sealed under this name. Raises AuthError for another key, another name, or a changed byte."""
    mark, _, rest = content.partition(b" ")
    key_id, _, body = rest.partition(b" ")
    if mark != MARK:
        raise AuthError(f"{place} holds no token of Syncline's", hint="move it away, then log in again")
    key = next((key for key in keys if key.id.encode() == key_id), None)
    if key is None:
        have = ", ".join(f"{key.id} in {key.place}" for key in keys) or "none"
        raise AuthError(
            f"the token in {place} was sealed with another key",
            evidence=f"it needs key {key_id[:8].decode('ascii', 'replace')}; there is: {have}",
            hint="give the process the key that the token was stored with (SYNCLINE_KEY), or log in again",
        )
    from cryptography.exceptions import InvalidTag  # late: an optional extra, already imported by the cipher

    header = b"%s %s " % (mark, key_id)
    try:
        return _cipher(key).decrypt(body[:NONCE], body[NONCE:], header + name.encode())
    except (InvalidTag, ValueError):
        raise AuthError(
            f"the token in {place} is damaged, or belongs to another integration",
            hint="syncline login FILE --forget, then log in again",
        ) from None


def available() -> bool:
    from importlib.util import find_spec

    return find_spec("cryptography") is not None


class Cipher(Protocol):
    """What is used of the package."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


def _cipher(key: Key) -> Cipher:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late: an optional extra
    except ImportError:
        raise AuthError(
            "tokens are stored encrypted, which needs a package", hint="pip install 'syncline[crypto]'"
        ) from None
    return AESGCM(key.value)
