"""Whose token it is: what a stored one is found by, and what it must agree with."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from syncline.auth import Auth
from syncline.model import Part, Reference, Secret, kind_of, reveal

LOGIN_GRANTS = ("authorization_code", "device_code")
FOUND_BY = ("kind", "grant", "authorize_url", "device_url", "token_url", "client_id", "url", "path")
LOOKS = ("early", "header", "prefix", "refresh_url", "client_auth")
"""Fields that change how a token is sent or asked for, not which token it is."""
RIGHTS = ("scopes", "audience")

Worth = Literal["everything", "rotation", "request", "nothing"]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what the token is found by, safe as a file name; `fingerprint` what it was obtained with, secrets included.

    The fingerprint is stored sealed only: a digest of a weak secret could be guessed.
    """

    name: str
    fingerprint: str


def token_auth(auth: Auth | None) -> Auth | None:
    """The one among combined auths that has a token."""
    for one in getattr(auth, "auths", (auth,)):
        if one is not None and one.needs_token:
            return one
    return None


def grant_of(auth: Auth) -> str:
    return str(getattr(auth, "grant", kind_of(type(auth))))


def worth_of(auth: Auth) -> Worth:
    """What is lost with the token: everything (a person must log in again), a rotation, one request, or nothing."""
    grant = grant_of(auth)
    if grant in LOGIN_GRANTS:
        return "everything"
    if grant == "refresh_token":
        return "rotation"
    return "request" if hasattr(auth, "token_url") or kind_of(type(auth)) == "session" else "nothing"


def identity_of(integration: str, auth: Auth) -> Identity:
    """The identity of a resolved auth's token within an integration.

    What somebody agreed to is good for these scopes, whatever client secret is in use. A rotated refresh token descends from
    the configured one. Others belong to all that they were obtained with.
    """
    values = {name: _plain(getattr(auth, name)) for name in type(auth).model_fields}
    found_by = {name: values[name] for name in FOUND_BY if name in values}
    worth = worth_of(auth)
    if worth == "everything":
        found_by |= {name: values[name] for name in RIGHTS if name in values}
        belongs: Any = None
    elif worth == "rotation":
        belongs = values["refresh_token"]
    else:
        belongs = {name: value for name, value in values.items() if name not in LOOKS}
    return Identity(name=f"{integration}-{_digest([integration, found_by])[:20]}", fingerprint=_digest(belongs))


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Secret | Reference):
        return reveal(value)
    if isinstance(value, Part):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
