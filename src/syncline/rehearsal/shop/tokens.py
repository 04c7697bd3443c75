"""The practice shop's OAuth 2.0 token endpoint (RFC 6749): client credentials and rotated refresh tokens."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


class TokenRefusedError(Exception):
    """A token request that ends in an error answer (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class Tokens:
    """Who may come in. `lifetime` in seconds; times are monotonic seconds. A refresh token serves once."""

    def __init__(self, lifetime: float) -> None:
        self.client_id = "practice-client"
        self.client_secret = secrets.token_urlsafe(24)
        self.refresh_token = secrets.token_urlsafe(24)
        """The refresh token that is good now; each use puts another in its place."""
        self.issued = 0
        self._lifetime = lifetime
        self._access: dict[str, float] = {}

    def grant(self, form: Mapping[str, str], authorization: str | None, now: float) -> dict[str, Any]:
        """Answer one token request. Raises TokenRefusedError."""
        self._identify(form, authorization)
        grant = form.get("grant_type")
        if grant not in ("client_credentials", "refresh_token"):
            raise TokenRefusedError("unsupported_grant_type", "this shop knows client_credentials and refresh_token")
        answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": int(self._lifetime), "scope": "orders.read"}
        if grant == "refresh_token":
            if not hmac.compare_digest(form.get("refresh_token", "").encode(), self.refresh_token.encode()):
                raise TokenRefusedError("invalid_grant", "the refresh token is unknown or was used before")
            self.refresh_token = secrets.token_urlsafe(24)
            answer["refresh_token"] = self.refresh_token
        answer["access_token"] = secrets.token_urlsafe(24)
        self.issued += 1
        self._access[answer["access_token"]] = now + self._lifetime
        return answer

    def accepts(self, authorization: str | None, now: float) -> bool:
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self._access.get(token.strip(), 0.0) > now

    def revoke(self) -> None:
        """Let every access token be worthless from now on."""
        self._access.clear()

    def _identify(self, form: Mapping[str, str], authorization: str | None) -> None:
        """Find the client's name and secret in the header or in the form (RFC 6749, 2.3.1)."""
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise TokenRefusedError("invalid_client", "the Authorization header is not Basic", 401) from None
            name, secret = unquote(name), unquote(secret)
        right_secret = hmac.compare_digest(secret.encode(), self.client_secret.encode())
        if name != self.client_id or not right_secret:
            raise TokenRefusedError("invalid_client", "unknown client, or a wrong secret", 401)
