"""The tokens of an integration: where they are kept, and how long they will do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from syncline.errors import SynclineError
from syncline.http.tokens import (
    Purpose,
    SealedStore,
    ends,
    grant_of,
    runs_out,
    token_auth,
    token_store,
    worth_of,
)
from syncline.model import Clock, SystemClock, reveal
from syncline.secrets import redactor
from syncline.sources import HttpSource
from syncline.spec import Integration


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


def opened_store(
    integration: Integration, clock: Clock, environment: Mapping[str, str] | None = None, *, purpose: Purpose = "use"
) -> SealedStore | None:
    """Where the token of a resolved integration's source is kept, or None for memory. Raises AuthError, PlanError."""
    source = integration.source
    if not isinstance(source, HttpSource):
        return None
    where = None if integration.tokens is None else reveal(integration.tokens)
    known = os.environ if environment is None else environment
    return token_store(where, integration.name, source.auth, clock, known, purpose=purpose)


def keeping(integration: Integration, clock: Clock) -> dict[str, Any]:
    """What a connection must know of tokens: their store, and that the redactor hears of each."""
    return {"tokens": opened_store(integration, clock), "on_secret": redactor.add}


async def token_status(
    integration: Integration, *, clock: Clock | None = None, environment: Mapping[str, str] | None = None
) -> TokenStatus | None:
    """The stored token of a resolved integration's source, without asking anybody; None where it has no token.

    Changes nothing: makes no key and no folder where there is none.
    """
    clock = clock or SystemClock()
    source = integration.source
    holder = token_auth(source.auth) if isinstance(source, HttpSource) else None
    if holder is None:
        return None
    status = TokenStatus(grant=grant_of(holder), place="memory", login=worth_of(holder) == "everything")
    try:
        store = opened_store(integration, clock, environment, purpose="look")
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
    status.expires_at, status.refresh_expires_at = ends(token, now, monotonic)
    status.runs_out = runs_out(token, now, monotonic)
    return status
