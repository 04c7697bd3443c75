"""Keys for signatures, made up as the file wants them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from syncline.model import Part

SERVICE_ACCOUNT = "service account"


def materials_in(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The paths of fields that hold key material, each with what is wanted there: `hex`, `base64`, `rsa`, `p-256`, …"""
    if isinstance(value, Part):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        kind = _kind(fields)
        if kind is not None and fields.get("key") is not None:
            yield f"{path}.key", kind
        if fields.get("service_account") is not None:
            yield f"{path}.service_account", SERVICE_ACCOUNT
        for name, inner in fields.items():
            yield from materials_in(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from materials_in(inner, f"{path}[{place}]")


def _kind(fields: dict[str, Any]) -> str | None:
    algorithm = str(fields.get("algorithm") or fields.get("method") or "")
    if algorithm[:2] in ("RS", "PS"):
        return "rsa"
    if algorithm.startswith("ES"):
        return {"256": "p-256", "384": "p-384", "512": "p-521"}[algorithm[2:]]
    if algorithm == "EdDSA":
        return "ed25519"
    encoding = fields.get("key_encoding")
    return encoding if encoding in ("hex", "base64") else None


def made_key(kind: str, text: str) -> str:
    """A key of this kind; `text` is what it is made of where it needs no shape."""
    if kind == "hex":
        return text.encode().hex()
    if kind == "base64":
        return base64.b64encode(text.encode()).decode()
    if kind == SERVICE_ACCOUNT:
        account = {
            "type": "service_account",
            "client_email": "rehearsal@example.com",
            "private_key": _pem("rsa"),
            "private_key_id": "rehearsed",
            "token_uri": "https://oauth2.example/token",
        }
        return json.dumps(account)
    return _pem(kind)


@lru_cache(maxsize=8)
def _pem(kind: str) -> str:
    """A private key. A fresh one for each process: what it signs is never compared with what another signed."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # late: an optional extra
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    curves: dict[str, Any] = {"p-256": ec.SECP256R1, "p-384": ec.SECP384R1, "p-521": ec.SECP521R1}
    key: Any
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(curves[kind]())
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
