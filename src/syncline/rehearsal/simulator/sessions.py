"""Doors with a memory of who came in: log-ins whose answer holds a token, and several keys of which any one will do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from syncline.model import put_path, reveal
from syncline.rehearsal.simulator.door import Door, unauthorised
from syncline.rehearsal.simulator.wire import Answer, Call, answered

LIFETIME = 1_800


class SessionDoor(Door):
    """Gives a token to whoever logs in with the right words, and takes it until it runs out."""

    def __init__(self, auth: Any, seed: int, address: str, login: Door) -> None:
        self._auth, self._address, self._login, self._seed = auth, address, login, seed
        self._good: dict[str, float] = {}
        self.issued = 0

    def owns(self, call: Call) -> bool:
        return call.url.partition("?")[0] == self._address and call.method == self._auth.method

    def serve(self, call: Call, now: datetime) -> Answer:
        barred = self._login.check(call, now)
        if barred is not None or not self._knows(call):
            return barred or unauthorised("the user name or the password is wrong", "Session")
        self.issued += 1
        token = f"rehearsed-{self._seed}-session-{self.issued}"
        self._good[token] = now.timestamp() + LIFETIME
        return self._told(token)

    def _told(self, token: str) -> Answer:
        auth = self._auth
        place: str | None = auth.token
        if place == ".":
            return answered(token)
        document: Any = {} if place is None else put_path({}, place, token)
        if auth.expires_path is not None:
            document = put_path(document, auth.expires_path, LIFETIME)
        headers = {auth.token_header: token} if auth.token_header is not None else {}
        if auth.token_cookie is not None:
            headers["Set-Cookie"] = f"{auth.token_cookie}={token}; Max-Age={LIFETIME}; Path=/; HttpOnly"
        return answered(document, headers=headers)

    def _knows(self, call: Call) -> bool:
        auth = self._auth
        if auth.form:
            return call.form == {name: reveal(value) for name, value in auth.form.items()}
        return auth.document is None or call.json == _in_clear(auth.document)

    def check(self, call: Call, now: datetime) -> Answer | None:
        if any(self._good.get(token, 0.0) > now.timestamp() for token in self._shown(call)):
            return None
        return unauthorised("the session has run out", "Session").but(status=self._auth.renew_on[0])

    def _shown(self, call: Call) -> list[str]:
        """Whatever could be the token, where the file sends it."""
        auth = self._auth
        name = auth.name or (auth.token_cookie if auth.place == "cookie" else None) or "Authorization"
        if auth.place == "query":
            sent = call.params.get(name, "")
        elif auth.place == "header":
            sent = call.headers.get(name, "")
        else:
            pairs = (pair.strip().partition("=") for pair in call.headers.get("Cookie", "").split(";"))
            sent = next((value for key, _, value in pairs if key == name), "")
        before, _, after = (auth.template or "{token}").partition("{token}")
        return [sent, sent.rpartition(" ")[2], sent.removeprefix(before).removesuffix(after)]

    def expire(self) -> None:
        self._good = dict.fromkeys(self._good, 0.0)

    def revoke(self) -> None:
        self._good.clear()


def _in_clear(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_clear(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_in_clear(inner) for inner in value]
    return reveal(value) if hasattr(value, "reveal") else value


class AnyOf(Door):
    """Several keys, of which each opens."""

    def __init__(self, doors: list[Door]) -> None:
        self._doors = doors
        self._opened = doors[0]
        """The one that opened last."""

    def check(self, call: Call, now: datetime) -> Answer | None:
        for door in self._doors:
            answer = door.check(call, now)
            if answer is None:
                self._opened = door
                return None
        return answer

    def expire(self) -> None:
        """The key that was used last opens no more; the last of all is left."""
        if len(self._doors) > 1:
            self._doors = [door for door in self._doors if door is not self._opened]

    def revoke(self) -> None:
        self.expire()
