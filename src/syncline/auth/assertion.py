"""Assertions: short-lived JSON Web Tokens that a key of ours vouches for, instead of a password (RFC 7523)."""

from datetime import datetime
from typing import Any, Self

import msgspec
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from syncline.auth.jwt import Algorithm, compact
from syncline.auth.values import Referring, once, reveal_all
from syncline.errors import AuthError
from syncline.model import (
    BodyTooDeep,
    Duration,
    MalformedBody,
    Part,
    Reference,
    Secret,
    SecretText,
    Text,
    decode_json,
    encode_json,
    reveal,
)


class Assertion(Part):
    """Who we are, signed: for a grant (`assertion`) or to authenticate the application itself (`client_assertion`)."""

    key: SecretText = Field(description="Private key in PEM, by reference: ${file:/run/secrets/key.pem}")
    algorithm: Algorithm = Field(default="RS256", description="How it is signed")
    key_id: Text | None = Field(default=None, description="Name of the key at the server: kid in the header")
    issuer: Text | None = Field(default=None, description="iss; the client_id where it is left out")
    subject: Text | None = Field(
        default=None, description="sub, the user or application acted for; a client assertion names the client_id"
    )
    audience: Text | None = Field(default=None, description="aud; the token endpoint's address where it is left out")
    claims: Referring = Field(default={}, description="Further claims, such as box_sub_type")
    lifetime: Duration = Field(default=300.0, description="How long each assertion holds")

    @model_validator(mode="after")
    def _holds_for_a_while(self) -> Self:
        if self.lifetime < 1:
            raise PydanticCustomError("assertion", "lifetime must be a second or more", {"loc": ["lifetime"]})
        return self

    def signed(self, defaults: dict[str, str], now: datetime, seed: str) -> Secret:
        """The assertion for this moment; `defaults` are claims under the configured ones. Raises AuthError."""
        own = {"iss": self.issuer, "sub": self.subject, "aud": self.audience}
        named = {name: reveal(text) for name, text in own.items() if text is not None}
        issued = int(now.timestamp())
        jti = once(reveal(self.key).encode(), now.isoformat(), seed)
        times = {"iat": issued, "exp": issued + int(self.lifetime), "jti": jti}
        claims: dict[str, Any] = {**defaults, **named, **times, **reveal_all(self.claims)}
        header = {"alg": self.algorithm, "typ": "JWT"}
        if self.key_id is not None:
            header["kid"] = reveal(self.key_id)
        return Secret(compact(encode_json(header), encode_json(claims), self.algorithm, self.key))


class ServiceAccount(msgspec.Struct, frozen=True):
    """The key file of a service account, as Google hands it out."""

    assertion: Assertion
    token_url: str | None


def read_service_account(text: Secret | Reference, subject: Secret | Reference | str | None) -> ServiceAccount:
    """The members of a key file that sign and address an assertion; the rest is not used. Raises AuthError."""
    try:
        document = decode_json(reveal(text))
        email, key = document["client_email"], document["private_key"]
        if not isinstance(email, str) or not isinstance(key, str):
            raise TypeError
    except (MalformedBody, BodyTooDeep, KeyError, TypeError):
        raise AuthError(
            "service_account is not the key file of a service account",
            hint="refer to the whole JSON file, with client_email and private_key: ${file:/run/secrets/account.json}",
        ) from None
    url, key_id = document.get("token_uri"), document.get("private_key_id")
    assertion = Assertion(
        key=Secret(key),
        key_id=key_id if isinstance(key_id, str) else None,
        issuer=email,
        subject=subject,
        lifetime=3600.0,
    )
    return ServiceAccount(assertion, url if isinstance(url, str) else None)
