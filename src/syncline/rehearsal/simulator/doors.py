"""Who is let in: the API's side of every way to authorise a request.

A door knows the credentials that the rehearsal made up, and the tokens that it gave out itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from importlib import import_module
from typing import Any

from syncline.auth import Auth
from syncline.model import kind_of, reveal
from syncline.rehearsal.simulator.door import All, Door, Fixed, header_of
from syncline.rehearsal.simulator.sessions import AnyOf, SessionDoor
from syncline.rehearsal.simulator.wire import Call


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
    return SessionDoor(auth, seed, reveal(auth.url), door_of(auth.login_auth, seed))


def _rotate(auth: Any, seed: int) -> Door:
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
