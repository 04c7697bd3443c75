"""An authorisation server of our own: tokens that run out, are taken back, and are given out anew (RFC 6749)."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from syncline.auth import OAuth2
from syncline.auth.assertion import Assertion
from syncline.model import Secret, decode_json, put_path, reveal
from syncline.rehearsal.simulator.door import Door, unauthorised
from syncline.rehearsal.simulator.signatures import jwt_fault, public_key
from syncline.rehearsal.simulator.wire import Answer, Call, answered, refused

LIFETIME = 3_600.0
REFRESHED = ("refresh_token", "authorization_code", "device_code", "password")
"""Grants with which a refresh token comes, and is exchanged for another each time it is used."""


class TokenDoor(Door):
    """Gives out access tokens, and refresh tokens that are exchanged for the next."""

    def __init__(self, auth: OAuth2, seed: int, lifetime: float = LIFETIME, *, forgiving: bool = True) -> None:
        """`forgiving`: what was spent serves until the new one does, or a lost answer would lock everybody out."""
        self.auth, self.lifetime, self._forgiving = auth, lifetime, forgiving
        self._name = f"rehearsed-{seed}"
        self._addresses = {reveal(url) for url in (auth.token_url, auth.refresh_url) if url is not None}
        self._count = 0
        self._good: dict[str, float] = {}
        """Access tokens that were given out, and when each runs out, in seconds since 1970."""
        self.refresh_token = self._before = (
            reveal(auth.refresh_token) if auth.refresh_token is not None else self.first_refresh(seed)
        )
        self.issued = 0

    @staticmethod
    def first_refresh(seed: int) -> str:
        """The refresh token of whoever has logged in already."""
        return f"rehearsed-{seed}-refresh-0"

    def owns(self, call: Call) -> bool:
        return call.url.partition("?")[0] in self._addresses

    def serve(self, call: Call, now: datetime) -> Answer:
        given = call.json if "json" in call.headers.get("Content-Type", "") else call.form
        given = {self._plain(name): value for name, value in given.items()} if isinstance(given, dict) else {}
        if not self._knows(call, given, now):
            return refused(401, "invalid_client", "the client's id or secret is wrong", {"WWW-Authenticate": "Basic"})
        grant = str(given.get("grant_type", ""))
        if grant == "refresh_token" and given.get("refresh_token") not in (self.refresh_token, self._before):
            return refused(400, "invalid_grant", "the refresh token was used already, or taken back")
        if self._is_unproved(grant, given, now):
            return refused(400, "invalid_grant", "the assertion or the token to exchange does not hold")
        if grant == "password" and not self._is_user(given):
            return refused(400, "invalid_grant", "the user name or the password is wrong")
        if not grant:
            return refused(400, "invalid_request", "grant_type is missing")
        return self._give(now, grant, str(given.get("refresh_token", self.refresh_token)))

    def _plain(self, name: str) -> str:
        names = {theirs: ours for ours, theirs in self.auth.param_names.items()}
        return names.get(name, name)

    def _knows(self, call: Call, given: dict[str, Any], now: datetime) -> bool:
        if self.auth.client_assertion is not None:
            return _signed(self.auth.client_assertion, given.get("client_assertion"), now)
        if self.auth.client_secret is None:
            return True
        wanted = (reveal(self.auth.client_id or ""), reveal(self.auth.client_secret))
        scheme, _, pair = call.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                name, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
            except ValueError:
                return False
            return wanted in ((unquote_plus(name), unquote_plus(secret)), (name, secret))
        return wanted == (given.get("client_id"), given.get("client_secret"))

    def _is_unproved(self, grant: str, given: dict[str, Any], now: datetime) -> bool:
        auth = self.auth
        if grant.endswith(":jwt-bearer") and auth.grant == "jwt_bearer":
            signer: Any = auth.assertion
            if signer is None:
                account = decode_json(reveal(auth.service_account or ""))
                signer = Assertion(key=Secret(account["private_key"]))
            return not _signed(signer, given.get("assertion"), now)
        if grant.endswith(":token-exchange"):
            return given.get("subject_token") != reveal(auth.subject_token or "")
        return False

    def _is_user(self, given: dict[str, Any]) -> bool:
        wanted = (reveal(self.auth.username or ""), reveal(self.auth.password or Secret("")))
        return wanted == (given.get("username"), given.get("password"))

    def _give(self, now: datetime, grant: str, spent: str) -> Answer:
        self._count += 1
        self.issued += 1
        access = f"{self._name}-access-{self._count}"
        self._good[access] = now.timestamp() + self.lifetime
        auth = self.auth
        document = put_path({"token_type": "Bearer"}, auth.token_path, access)
        beside = auth.token_path.rpartition(".")[0]
        document = put_path(document, auth.expires_path or _below(beside, "expires_in"), int(self.lifetime))
        if auth.grant in REFRESHED and grant != "client_credentials":
            self.refresh_token = f"{self._name}-refresh-{self._count}"
            self._before = spent if self._forgiving else self.refresh_token
            document = put_path(document, auth.refresh_path or _below(beside, "refresh_token"), self.refresh_token)
        return answered(document, headers={"Cache-Control": "no-store"})

    def check(self, call: Call, now: datetime) -> Answer | None:
        shown = call.headers.get(self.auth.header, "")
        token = shown.rpartition(" ")[2] if self.auth.prefix else shown
        if self._good.get(token, 0.0) > now.timestamp():
            return None
        what = "the token has run out or was taken back" if token else "a token is missing"
        return unauthorised(what, 'Bearer error="invalid_token"')

    def expire(self) -> None:
        self._good = dict.fromkeys(self._good, 0.0)

    def revoke(self) -> None:
        self._good.clear()


def _signed(signer: Assertion, shown: Any, now: datetime) -> bool:
    return jwt_fault(str(shown), signer.algorithm, public_key(reveal(signer.key)), now) is None


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
