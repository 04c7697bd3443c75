"""Which store an integration's token goes to: what the file says, what the token is worth, what this machine has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from syncline.auth import Auth
from syncline.errors import AuthError, PlanError, StateError
from syncline.events import Noticed, emit
from syncline.http.tokens.folder import Folder
from syncline.http.tokens.identity import identity_of, token_auth, worth_of
from syncline.http.tokens.keys import VARIABLE, Key, find_keys, make_key
from syncline.http.tokens.seal import available
from syncline.http.tokens.store import Place, SealedStore
from syncline.model import Clock, Secret

DEFAULT_FOLDER = Path(".syncline/tokens")
POSTGRES = ("postgresql://", "postgres://")
MEMORY = "memory"
Purpose = Literal["use", "login", "look", "forget"]
"""To use the token there is, to store one that somebody logs in for, to see what there is, or to remove it."""


def token_store(
    where: str | None,
    integration: str,
    auth: Auth | None,
    clock: Clock,
    environment: Mapping[str, str],
    *,
    purpose: Purpose = "use",
) -> SealedStore | None:
    """The store of a resolved auth's token; None where the token lives in this process alone.

    `where` is the file's `tokens`: a folder, a PostgreSQL address, `memory`, or None for the default. Tokens that a person
    logged in for, and refresh tokens, are stored wherever that is possible; others, which cost one request, where `tokens` is
    written or this user has a key already. Raises AuthError and PlanError where a token must be stored and cannot be.
    """
    holder = token_auth(auth)
    worth = worth_of(holder) if holder is not None else "nothing"
    if holder is None or worth == "nothing":
        return None
    if where == MEMORY:
        if worth == "everything":
            raise PlanError(
                "tokens: memory cannot keep what somebody logged in for", hint="leave `tokens` out, or name a folder"
            )
        return None
    identity = identity_of(integration, holder)
    if purpose == "forget":
        return SealedStore(_place(where, identity.name, prepare=False), identity, [], clock)
    must = where is not None or worth == "everything"
    if not must and not available():
        if worth == "rotation":
            _say_that_nothing_is_kept("the package cryptography is not installed", "pip install 'syncline[crypto]'")
        return None
    keys = find_keys(environment)
    if not keys and (purpose == "look" or (worth == "request" and where is None)) and worth != "everything":
        return None
    if not keys and worth == "everything" and purpose != "login":
        raise AuthError(
            "nobody has logged in here: there is no key that tokens were stored with",
            hint=f"syncline login FILE; or set {VARIABLE} to the key of where somebody did",
        )
    try:
        keys = keys or [_new_key(environment)]
        place = _place(where, identity.name, prepare=purpose != "look")
    except (AuthError, StateError) as error:
        if must or purpose == "look":
            raise
        if worth == "rotation":
            _say_that_nothing_is_kept(error.what, error.hint)
        return None
    return SealedStore(place, identity, keys, clock, forgiving=purpose == "login" or worth == "request")


def _place(where: str | None, name: str, *, prepare: bool) -> Place:
    if where is not None and where.startswith(POSTGRES):
        from syncline.http.tokens.postgres import Postgres  # late: psycopg is an optional extra

        return Postgres(Secret(where), name)
    if where is not None and "://" in where:
        raise PlanError(
            "tokens is neither a folder nor a PostgreSQL address",
            hint="write: tokens: .syncline/tokens, or tokens: ${DATABASE_URL} with postgresql://…",
        )
    folder = Folder(DEFAULT_FOLDER if where is None else Path(where), name)
    if prepare:
        folder.prepare()
    return folder


def _new_key(environment: Mapping[str, str]) -> Key:
    key = make_key(environment)
    emit(
        Noticed(
            what=f"made a key for tokens in {key.place}: whoever has it and the token files has the tokens",
            hint=f"back it up, or set {VARIABLE} where processes of other users or machines share the tokens",
        )
    )
    return key


def _say_that_nothing_is_kept(why: str, hint: str | None) -> None:
    emit(Noticed(what=f"refresh tokens that the server renews are lost when this process ends: {why}", hint=hint))
