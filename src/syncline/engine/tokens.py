"""The tokens of an integration: where they are kept, and how long they will do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from syncline.errors import SynclineError
from syncline.http import Connection, tokens
from syncline.model import Clock, SystemClock, reveal
from syncline.secrets import redactor
from syncline.spec import Integration

End = Literal["source", "destination"]


class TokenStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of an integration's token; moments are wall time (UTC), None where nobody said.

    `runs_out` is set only where a person will be needed soon. `problem` says why a stored token cannot be read.
    """

    grant: str
    place: str
    login: bool
    """Whether a person must log in for it."""
    stored: bool = False
    obtained_at: datetime | None = None
    expires_at: datetime | None = None
    refreshable: bool = False
    refresh_expires_at: datetime | None = None
    runs_out: datetime | None = None
    problem: str | None = None
    hint: str | None = None


def connection_of(integration: Integration, end: End) -> Connection | None:
    """The API at this end; None where there is a database or a folder."""
    part = getattr(integration, end)
    return part if isinstance(part, Connection) else None


def opened_store(
    integration: Integration,
    clock: Clock,
    environment: Mapping[str, str] | None = None,
    *,
    purpose: tokens.Purpose = "use",
    end: End = "source",
) -> tokens.SealedStore | None:
    """Where the token of this end of a resolved integration is kept, or None for memory. Raises AuthError, PlanError."""
    connection = connection_of(integration, end)
    if connection is None or tokens.token_auth(connection.auth) is None:
        return None
    where = None if integration.tokens is None else reveal(integration.tokens)
    known = os.environ if environment is None else environment
    # both ends may be accounts at one provider, with the same client
    name = integration.name if end == "source" else f"{integration.name}.{end}"
    return tokens.token_store(where, name, connection.auth, clock, known, purpose=purpose)


def keeping(integration: Integration, clock: Clock, end: End = "source") -> dict[str, Any]:
    """What a connection must know of tokens: their store, and that the redactor hears of each; nothing where it is none."""
    if connection_of(integration, end) is None:
        return {}
    return {"tokens": opened_store(integration, clock, end=end), "on_secret": redactor.add_passing}


async def token_status(
    integration: Integration,
    *,
    clock: Clock | None = None,
    environment: Mapping[str, str] | None = None,
    end: End = "source",
) -> TokenStatus | None:
    """The stored token of this end of a resolved integration, without asking anybody; None where it has no token.

    Changes nothing: makes no key and no folder where there is none.
    """
    clock = clock or SystemClock()
    connection = connection_of(integration, end)
    holder = tokens.token_auth(connection.auth) if connection is not None else None
    if holder is None:
        return None
    status = TokenStatus(grant=tokens.grant_of(holder), place="memory", login=tokens.worth_of(holder) == "everything")
    try:
        store = opened_store(integration, clock, environment, purpose="look", end=end)
        if store is None:
            return status
        status.place = store.shown
        token = (await store.load()).token
    except SynclineError as error:
        status.problem, status.hint = error.what, error.hint
        return status
    if token is None:
        return status
    now, monotonic = clock.now(), clock.monotonic()
    status.stored, status.refreshable, status.obtained_at = True, token.refresh is not None, token.obtained_at
    status.expires_at, status.refresh_expires_at = tokens.ends(token, now, monotonic)
    status.runs_out = tokens.runs_out(token, now, monotonic)
    return status
