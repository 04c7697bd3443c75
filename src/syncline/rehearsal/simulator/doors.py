"""Who is let in: the API's side of every way to authorise a request.

A door knows the credentials that the rehearsal made up, and the tokens that it gave out itself.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any

from syncline.auth import Auth
from syncline.model import kind_of, reveal
from syncline.rehearsal.simulator.wire import Answer, Call, refused


class Door:
    """Lets everybody in. Times are wall time. `issued` counts the tokens that were given out."""

    issued = 0

    def owns(self, call: Call) -> bool:
        """Whether the call is for one of the door's own addresses, such as a token endpoint."""
        return False

    def serve(self, call: Call, now: datetime) -> Answer:
        """The answer to a call at an address of its own."""
        raise NotImplementedError

    def check(self, call: Call, now: datetime) -> Answer | None:
        """Why a call is not let in, or None."""
        return None

    def expire(self) -> None:
        """Whatever was given out runs out at once."""

    def revoke(self) -> None:
        """Whatever was given out is taken back."""


class Fixed(Door):
    """Credentials that are sent as they are."""

    def __init__(self, shown: Callable[[Call], str | None], wanted: str, challenge: str) -> None:
        self._shown, self._wanted, self._challenge = shown, wanted, challenge

    def check(self, call: Call, now: datetime) -> Answer | None:
        shown = self._shown(call) or ""
        if hmac.compare_digest(shown.encode(), self._wanted.encode()):
            return None
        what = "these credentials are not known" if shown else "credentials are missing"
        return unauthorised(what, self._challenge)


class All(Door):
    """Several doors one behind the other."""

    def __init__(self, doors: list[Door]) -> None:
        self.doors = doors

    def owns(self, call: Call) -> bool:
        return any(door.owns(call) for door in self.doors)

    def serve(self, call: Call, now: datetime) -> Answer:
        return next(door for door in self.doors if door.owns(call)).serve(call, now)

    def check(self, call: Call, now: datetime) -> Answer | None:
        return next((answer for door in self.doors if (answer := door.check(call, now)) is not None), None)

    @property
    def issued(self) -> int:  # type: ignore[override]
        return sum(door.issued for door in self.doors)

    def expire(self) -> None:
        for door in self.doors:
            door.expire()

    def revoke(self) -> None:
        for door in self.doors:
            door.revoke()


def unauthorised(what: str, challenge: str) -> Answer:
    return refused(401, "unauthorized", what, {"WWW-Authenticate": challenge})


def header_of(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.headers.get(name)


def _api_key(auth: Any, seed: int) -> Door:
    value = reveal(auth.key)
    if auth.prefix is not None:
        value = f"{auth.prefix} {value}" if auth.prefix[-1:].isalnum() else f"{auth.prefix}{value}"
    shown: dict[str, Callable[[Call], str | None]] = {
        "header": header_of(auth.name),
        "query": lambda call: call.params.get(auth.name),
        "cookie": lambda call: _cookies(call).get(auth.name),
    }
    return Fixed(shown[auth.in_], value, "ApiKey")


def _cookies(call: Call) -> dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in call.headers.get("Cookie", "").split(";"))
    return {name: value for name, _, value in pairs}


def _bearer(auth: Any, seed: int) -> Door:
    return Fixed(header_of("Authorization"), f"Bearer {reveal(auth.token)}", "Bearer")


def _basic(auth: Any, seed: int) -> Door:
    pair = f"{reveal(auth.username)}:{reveal(auth.password) if auth.password is not None else ''}"
    return Fixed(header_of("Authorization"), f"Basic {base64.b64encode(pair.encode()).decode()}", "Basic")


def _combined(auth: Any, seed: int) -> Door:
    return All([door_of(each, seed) for each in auth.auths])


_HOMES = {
    "aws_sigv4": ("signatures", "SigV4Door"),
    "digest": ("signatures", "DigestDoor"),
    "hmac": ("signatures", "HmacDoor"),
    "jwt": ("signatures", "JwtDoor"),
    "oauth1": ("signatures", "OAuth1Door"),
    "oauth2": ("tokens", "TokenDoor"),
}
"""Doors that are imported when there is one."""


def _session(auth: Any, seed: int) -> Door:
    from syncline.rehearsal.simulator.sessions import SessionDoor  # late: most files have none

    return SessionDoor(auth, seed, reveal(auth.url), door_of(auth.login_auth, seed))


def _rotate(auth: Any, seed: int) -> Door:
    from syncline.rehearsal.simulator.sessions import AnyOf  # late: as above

    return AnyOf([door_of(each, seed) for each in auth.auths])


_DOORS: dict[str, Callable[[Any, int], Door]] = {
    "api_key": _api_key,
    "basic": _basic,
    "bearer": _bearer,
    "combined": _combined,
    "mtls": lambda auth, seed: Door(),
    "rotate": _rotate,
    "session": _session,
}


def door_of(auth: Auth | None, seed: int) -> Door:
    """The door for a resolved auth (`Auth.at` its API). Kinds that are not known here let everybody in."""
    kind = None if auth is None else kind_of(type(auth))
    if kind in _HOMES:
        home, name = _HOMES[kind]
        make: Callable[[Any, int], Door] = getattr(import_module(f"{__package__}.{home}"), name)
        return make(auth, seed)
    return _DOORS[kind](auth, seed) if kind in _DOORS else Door()
