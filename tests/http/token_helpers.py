"""Stores for tests: in a folder, and in a PostgreSQL schema of their own."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncline.auth import OAuth2
from syncline.http.tokens import SealedStore
from syncline.http.tokens.identity import identity_of
from syncline.http.tokens.keys import Key
from syncline.http.tokens.store import Place
from syncline.model import Reference, Secret, Token
from tests.support.clock import SimulatedClock

KEY = Key(value=b"k" * 32, place="the test")
KEY_TEXT = base64.b64encode(KEY.value).decode()
DATABASE = os.environ.get("SYNCLINE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


def oauth2(**fields: Any) -> OAuth2:
    """An OAuth 2 block whose references are resolved."""
    grant = fields.setdefault("grant", "refresh_token")
    if grant == "refresh_token":
        fields.setdefault("refresh_token", Secret("canary-refresh-0"))
    fields.setdefault("client_secret", Secret("canary-client-secret"))
    fields.setdefault("token_url", "https://login.test/token")
    auth = OAuth2.model_validate({"client_id": "practice", **fields})
    assert not any(isinstance(getattr(auth, name), Reference) for name in type(auth).model_fields)
    return auth


def token(number: int = 1, *, expires_at: float | None = 4_600.0, **fields: Any) -> Token:
    access, refresh = Secret(f"canary-access-{number}"), Secret(f"canary-refresh-{number}")
    return Token(**{"access": access, "refresh": refresh, "expires_at": expires_at, **fields})


def store_in(place: Place, clock: Any = None, auth: OAuth2 | None = None, **fields: Any) -> SealedStore:
    return SealedStore(place, identity_of("shop", auth or oauth2()), [KEY], clock or SimulatedClock(), **fields)


@contextmanager
def database() -> Iterator[str]:
    """The address of a schema that is gone afterwards; skips where there is no PostgreSQL."""
    psycopg = pytest.importorskip("psycopg")
    schema = f"syncline_{uuid.uuid4().hex[:12]}"
    try:
        connection = psycopg.connect(DATABASE, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        if os.environ.get("SYNCLINE_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip("no PostgreSQL at 127.0.0.1:5432 (SYNCLINE_TEST_POSTGRES names another)")
    with connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield f"{DATABASE}?options=-csearch_path%3D{schema}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
