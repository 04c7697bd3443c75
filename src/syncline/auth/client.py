"""How an application proves itself to an authorisation server (RFC 6749, 2.3; RFC 7523, 2.2; RFC 8705, 2)."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Literal
from urllib.parse import quote_plus

import msgspec

from syncline.auth.assertion import Assertion
from syncline.errors import AuthError
from syncline.model import Secret

ClientAuth = Literal["basic", "basic_plain", "post", "private_key_jwt", "tls_client_auth", "none"]
HEADER = ("basic", "basic_plain")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Pairs = list[tuple[str, str | Secret]]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The application as its server knows it."""

    name: str | None
    secret: str | None
    auth: ClientAuth
    assertion: Assertion | None
    audience: str

    def headers(self) -> dict[str, str | Secret]:
        if self.auth not in HEADER or self.secret is None:
            return {}
        pair = f"{self.name or ''}:{self.secret}"
        if self.auth == "basic":  # RFC 6749, 2.3.1: both halves are form-encoded before they are joined
            pair = f"{quote_plus(self.name or '')}:{quote_plus(self.secret)}"
        return {"Authorization": Secret(f"Basic {base64.b64encode(pair.encode()).decode('ascii')}")}

    def identity(self, now: datetime, seed: str) -> Pairs:
        """What stands in the body; `seed` is never the same twice. Raises AuthError."""
        if self.auth in HEADER and self.secret is not None:
            return []
        pairs: Pairs = [] if self.name is None else [("client_id", Secret(self.name))]
        if self.auth == "private_key_jwt":
            if self.assertion is None or self.name is None:
                raise AuthError("client_auth: private_key_jwt has nothing to sign with", hint="write client_assertion")
            own = {"iss": self.name, "sub": self.name, "aud": self.audience}
            pairs.append(("client_assertion_type", ASSERTION_TYPE))
            pairs.append(("client_assertion", self.assertion.signed(own, now, seed)))
        elif self.secret is not None and self.auth == "post":
            pairs.append(("client_secret", Secret(self.secret)))
        return pairs
