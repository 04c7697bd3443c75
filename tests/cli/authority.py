"""A strict authorisation server with a small API behind it: PKCE, exact redirects, codes and refresh tokens that serve once."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from syncline.rehearsal.simulator.wire import Answer, Call, answered
from tests.support.serving import Aside


class Authority(Aside):
    """`url` is its address; `asked` are the parameters of every token request. Lifetimes in seconds."""

    def __init__(
        self, *, lifetime: int = 3_600, refresh_lifetime: int | None = None, redirect: str | None = None
    ) -> None:
        self.lifetime, self.refresh_lifetime, self.redirect = lifetime, refresh_lifetime, redirect
        self.asked: list[dict[str, str]] = []
        self.refuses: str | None = None
        self.pending = 2
        self.good: set[str] = set()
        self.refresh: str | None = None
        self._codes: dict[str, dict[str, str]] = {}
        super().__init__()

    def agree(self, address: str) -> str:
        """What a browser does whose person agrees: the address that the redirect leads to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == "practice"
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        assert len(query["state"]) >= 32
        redirect = query["redirect_uri"]
        assert self.redirect is None or redirect == self.redirect
        assert urlsplit(redirect).hostname == "127.0.0.1"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{redirect}?{urlencode({'code': code, 'state': query['state'], 'iss': self.url})}"

    def handle(self, call: Call, now: datetime) -> Answer:
        if call.path == "/device":
            return answered(self._device())
        if call.path == "/token":
            self.asked.append(call.form)
            error, document = self._token(call.form)
            return answered({"error": error, **document}, 400) if error else answered(document)
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.good:
            return answered({"error": "invalid_token"}, 401)
        return answered([{"id": number} for number in range(3)])

    def _device(self) -> dict[str, Any]:
        return {
            "device_code": "device-canary-1",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/activate",
            "verification_uri_complete": f"{self.url}/activate?user_code=WDJB-MJHT",
            "expires_in": 60,
            "interval": 1,
        }

    def _token(self, form: dict[str, str]) -> tuple[str | None, dict[str, Any]]:
        if self.refuses:
            return self.refuses, {"error_description": "<script>alert(1)</script> & it says no"}
        grant = form.get("grant_type", "")
        if grant == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
            if (
                asked is None
                or form["redirect_uri"] != asked["redirect_uri"]
                or proof.decode() != asked["code_challenge"]
            ):
                return "invalid_grant", {}
        elif grant == "refresh_token":
            if form.get("refresh_token") != self.refresh:
                return "invalid_grant", {"error_description": "unknown or used before"}
        elif grant.endswith("device_code"):
            self.pending -= 1
            if self.pending >= 0:
                return "authorization_pending", {}
        else:
            return "unsupported_grant_type", {}
        access, self.refresh = f"access-canary-{secrets.token_hex(8)}", f"refresh-canary-{secrets.token_hex(8)}"
        self.good = {access}
        document: dict[str, Any] = {"access_token": access, "refresh_token": self.refresh, "expires_in": self.lifetime}
        if self.refresh_lifetime:
            document["refresh_token_expires_in"] = self.refresh_lifetime
        return None, document


INTEGRATION = """\
name: practice
source:
  kind: rest
  base_url: {url}
  auth:
    kind: oauth2
    grant: {grant}
    authorize_url: {url}/authorize
    device_url: {url}/device
    token_url: {url}/token
    client_id: practice
    client_secret: ${{PRACTICE_SECRET}}
    scopes: [things.read]
  retry: {{attempts: 1, max_wait: 1m}}
streams:
  - name: things
    path: /things
    primary_key: id
destination:
  kind: sql
  url: sqlite:///practice.db
"""
