"""OAuth 1.0a: a signature with two secrets, made afresh for each attempt (RFC 5849)."""

import base64
import hmac
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.auth import Auth
from syncline.auth.values import header_value, once
from syncline.errors import AuthError
from syncline.model import Reference, Request, Secret, SecretText, Text, Token, register, reveal

HASHES = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256", "HMAC-SHA512": "sha512"}

Pairs = list[tuple[str, str]]


@register("auth")
class OAuth1(Auth):
    """Signs each request with the application's secret and the user's."""

    kind: Literal["oauth1"] = Field(default="oauth1", description="OAuth 1.0a signatures")
    consumer_key: Text = Field(description="The application's name")
    consumer_secret: SecretText | None = Field(default=None, description="The application's secret, by reference")
    token: Text | None = Field(
        default=None, description="The user's token, by reference; none for the application's own rights"
    )
    token_secret: SecretText | None = Field(default=None, description="The secret of that token, by reference")
    method: Literal["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "PLAINTEXT"] = Field(
        default="HMAC-SHA1", description="How the signature is made; RSA-* need key"
    )
    key: SecretText | None = Field(default=None, description="Private key in PEM for RSA-*, by reference")
    realm: Text | None = Field(default=None, description="The realm, where the server asks for one: NetSuite's account")

    @model_validator(mode="after")
    def _has_what_it_signs_with(self) -> Self:
        needed = "key" if self.method.startswith("RSA") else "consumer_secret"
        if getattr(self, needed) is None:
            raise PydanticCustomError(
                "oauth1", "method {method} needs {needed}", {"method": self.method, "needed": needed, "loc": [needed]}
            )
        if (self.token is None) != (self.token_secret is None) and not self.method.startswith("RSA"):
            raise PydanticCustomError("oauth1", "token and token_secret come together", {"loc": ["token"]})
        return self

    @property
    def signs_time(self) -> bool:
        return True

    def sign(self, request: Request, token: Token | None, now: datetime) -> Request:
        own: Pairs = [
            ("oauth_consumer_key", reveal(self.consumer_key)),
            ("oauth_nonce", self._nonce(request, now)),
            ("oauth_signature_method", self.method),
            ("oauth_timestamp", str(int(now.timestamp()))),
            ("oauth_version", "1.0"),
        ]
        if self.token is not None:
            own.append(("oauth_token", reveal(self.token)))
        own.append(("oauth_signature", self._signature(base_string(request, own))))
        pairs = [] if self.realm is None else [f'realm="{_escaped(reveal(self.realm))}"']
        pairs += [f'{name}="{_escaped(value)}"' for name, value in own]
        return request.with_headers({"Authorization": header_value(f"OAuth {', '.join(pairs)}", "the signature")})

    def _secret(self) -> str:
        """Both secrets in one text (RFC 5849, 3.4.2)."""
        halves = (self.consumer_secret, self.token_secret)
        return "&".join(_escaped(reveal(half)) if half is not None else "" for half in halves)

    def _signature(self, text: str) -> str:
        if self.method == "PLAINTEXT":
            return self._secret()
        if self.method in HASHES:
            digest = hmac.digest(self._secret().encode(), text.encode(), HASHES[self.method])
            return base64.b64encode(digest).decode("ascii")
        assert self.key is not None
        return base64.b64encode(_rsa(self.key, self.method.partition("-")[2], text.encode())).decode("ascii")

    def _nonce(self, request: Request, now: datetime) -> str:
        key = self.key if self.method.startswith("RSA") else Secret(self._secret())
        return once(reveal(key or "").encode(), now.isoformat(), str(request.attempt), request.method, request.target)


def base_string(request: Request, own: Pairs) -> str:
    """What is signed: method, address and all parameters, sorted (RFC 5849, 3.4.1)."""
    parts = urlsplit(request.target)
    host, usual = (parts.hostname or "").lower(), {"http": 80, "https": 443}.get(parts.scheme)
    place = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port not in (None, usual) else ''}{parts.path or '/'}"
    form = [(name, reveal(value)) for name, value in request.form]
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *form, *own]
    encoded = sorted((_escaped(name), _escaped(value)) for name, value in pairs)
    params = "&".join(f"{name}={value}" for name, value in encoded)
    return "&".join((request.method.upper(), _escaped(place), _escaped(params)))


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")


def _rsa(key: Secret | Reference, hash_name: str, data: bytes) -> bytes:
    private, padding, hashes = _load(key)
    return bytes(private.sign(data, padding, hashes[hash_name]))


@lru_cache(maxsize=8)
def _load(key: Secret | Reference) -> tuple[Any, Any, dict[str, Any]]:
    try:  # an optional extra, and slow to import
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise AuthError(
            "RSA signatures need the package cryptography, which is not installed",
            hint="pip install 'syncline[crypto]'",
        ) from None
    try:
        private = load_pem_private_key(reveal(key).replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError) as error:
        private, reason = None, type(error).__name__
    else:
        reason = type(private).__name__
    if not isinstance(private, rsa.RSAPrivateKey):
        raise AuthError(
            "the key cannot make RSA signatures",
            hint="write an unencrypted RSA private key in PEM (-----BEGIN PRIVATE KEY-----)",
            evidence=reason,
        )
    return private, padding.PKCS1v15(), {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}  # noqa: S303 – RFC 5849, 3.4.3
